"""Which rows are one item in different locales: told by names, keys and the mapping, by the conventions of Hugo.

`post.de.md` beside `post.md`, `de/post.md` beside `en/post.md`, the same `translationKey`; for records the same id or
slug with another `locale`. https://gohugo.io/content-management/multilingual/
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from pydantic import JsonValue

from .mapping import Mapping, value_of
from .paths import Entry
from .rows import ReadLimits, Row, RowError

MAX_TRANSLATION_KEY = 300
_KEYS = ("locale", "lang")
_TRANSLATION_KEY = "translationkey"
# What must stand in front matter that says anything of locales; most says nothing, and need not be parsed to know.
_TELLING = re.compile(rb"translationkey|locale|lang", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Naming:
    """How rows of one import say in which of the site's locales they are. `fields` are the keys of the type's."""

    locales: Sequence[str]
    """The site's default locale first."""
    fields: frozenset[str] = frozenset()
    mapping: Mapping | None = None

    def known(self, name: JsonValue) -> str | None:
        """The site's locale of this name, in any letter case and with `_` for `-`."""
        if not isinstance(name, str):
            return None
        wanted = name.replace("_", "-").lower()
        return next((code for code in self.locales if code.lower() == wanted), None)

    def rank(self, locale: str | None) -> int:
        """The default locale comes first, then the others as the site has them, then what it does not have."""
        if locale is None:
            return 0
        return self.locales.index(locale) if locale in self.locales else len(self.locales)

    def settle(self, row: Row) -> Row:
        """The row with the locale that it is in and the key that joins it with others, as far as it says so."""
        said = [self._translation_key(row.values), self._locale(row)]
        used = tuple(key for key, _ in said if key is not None)
        translation_key, locale = (value for _, value in said)
        warnings = row.warnings
        if locale is not None and row.locale is not None and locale != row.locale:
            message = f"The name says {row.locale}, but the file itself says {locale}, which was followed."
            warnings = (*warnings, message)
        return replace(row, locale=locale or row.locale, translation_key=translation_key, said=used, warnings=warnings)

    def says_nothing(self, data: bytes, limits: ReadLimits) -> bool:
        """Whether a file's own text cannot have a word on it, so that its name tells all."""
        decided = self.mapping is not None and "$locale" in self.mapping.root
        return not decided and _TELLING.search(data, 0, limits.front_matter_bytes) is None

    def _translation_key(self, values: dict[str, JsonValue]) -> tuple[str | None, str | None]:
        for key, value in values.items():
            if key.lower() == _TRANSLATION_KEY and value not in (None, ""):
                text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
                if not 0 < len(text) <= MAX_TRANSLATION_KEY:
                    message = f"The {key} is not a text of up to {MAX_TRANSLATION_KEY} characters."
                    raise RowError("bad_translation_key", message)
                return key, text
        return None, None

    def _locale(self, row: Row) -> tuple[str | None, str | None]:
        """What the mapping says, else `locale`, which must be one of the site's, else `lang` if it is one."""
        if self.mapping is not None and "$locale" in self.mapping.root:
            mapped = value_of(row, self.mapping.root["$locale"])
            return None, self.known(mapped) or (mapped if isinstance(mapped, str) and mapped else None)
        for key in _KEYS:
            value = row.values.get(key)
            if (found := self.known(value)) is not None and not (key == "lang" and key in self.fields):
                return key, found
            if key == "locale" and isinstance(value, str) and value:
                return key, value
        return None, None


def placed(entries: Sequence[Entry], naming: Naming) -> list[Entry]:
    """The entries with what their paths say: a suffix before the file's own, or the first folder below those that all
    files in folders have in common."""
    folders = [PurePosixPath(entry.key).parts[:-1] for entry in entries if entry.problem is None]
    root = _common(folders, naming)
    return [entry if entry.problem else _named(entry, root, naming) for entry in entries]


def _common(folders: Sequence[tuple[str, ...]], naming: Naming) -> int:
    depth = 0
    while True:
        names = {parts[depth] for parts in folders if len(parts) > depth}
        if len(names) != 1 or naming.known(*names):
            return depth
        depth += 1


def _named(entry: Entry, root: int, naming: Naming) -> Entry:
    path = PurePosixPath(entry.key)
    name, _, suffix = path.stem.rpartition(".")
    by_suffix = naming.known(suffix) if name.strip(".") else None
    file = f"{name}{path.suffix}" if by_suffix else path.name
    folders = path.parts[:-1]
    by_folder = naming.known(folders[root]) if len(folders) > root else None
    if by_folder and by_suffix in (None, by_folder):
        folders = (*folders[:root], *folders[root + 1 :])
    return replace(entry, base="/".join((*folders, file)), locale=by_suffix or by_folder)


@dataclass(slots=True)
class Plan:
    """In which order rows are taken, so that those of one item come one after the other, its leading locale first."""

    order: array[int] = field(default_factory=lambda: array("l"))
    repeated: dict[int, int] = field(default_factory=dict)
    """Rows that say the item and locale of another, with that one."""


def arrange(identities: Iterable[tuple[str, str | None] | None], naming: Naming) -> Plan:
    """The order of rows by item and locale, None for what cannot be read; each item where its first row stands."""
    firsts: dict[str, int] = {}
    others: dict[str, list[tuple[int, str, int]]] = {}
    number = -1
    for number, identity in enumerate(identities):
        if identity is not None:
            key, locale = identity
            if locale is None and key not in firsts:
                firsts[key] = number
            else:
                others.setdefault(key, []).append((naming.rank(locale), locale or "", number))
    return _ordered(number + 1, firsts, others)


def _ordered(total: int, firsts: dict[str, int], others: dict[str, list[tuple[int, str, int]]]) -> Plan:
    plan = Plan()
    follow: dict[int, list[int]] = {}
    later: set[int] = set()
    for key, rows in others.items():
        rows.sort()
        lead = firsts.get(key)  # what says no locale comes before what says the default one
        taken: dict[str | None, int] = {} if lead is None else {None: lead}
        members, repeated = [], []
        for rank, code, number in rows:
            locale = None if rank == 0 else code
            if locale in taken:
                plan.repeated[number] = taken[locale]
                repeated.append(number)
            else:
                taken[locale] = number
                members.append(number)
        everything = [*([] if lead is None else [lead]), *members, *repeated]
        follow[min(everything)] = everything
        later.update(everything)
    for number in range(total):
        if number in follow:
            plan.order.extend(follow[number])
        elif number not in later:
            plan.order.append(number)
    return plan

"""What a row says about its own publication: drafts, private items, dates to come, and dates that have passed.

The habits of Hugo, Jekyll, Zola, Eleventy, Astro, Gatsby, Hexo, Pelican, Nikola, Docusaurus, WordPress, Ghost, Drupal,
Strapi, Directus, Payload, Wagtail, Contentful and dev.to. In doubt a row is not public.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from pydantic import JsonValue

from scaicms.kit import json

from . import mark_words as words
from .mapping import Constant, Extraction, Mapping, value_of
from .moments import read_moments
from .rows import SECTION_FILES, Row

_SPECIAL = {"$status": "status", "$publish_at": "publishat"}
_SEPARATOR = re.compile(r"[.:/]")
_DRAFT_FOLDERS = frozenset({"drafts", "draft", "unpublished", "private", "trash", "wip"})
_DAY_IN_PATH = re.compile(r"(?:^|/)((?:19|20|21)\d\d)[-/](\d\d)[-/](\d\d)(?=$|[/_. -])")
_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from the marks at a moment. `schedule` publishes at `start`; `end` takes it out of delivery again.
    Not `is_certain`: the marks cannot be read, or say both."""

    state: Literal["publish", "draft", "schedule"]
    reason: str = ""
    start: datetime | None = None
    end: datetime | None = None
    is_certain: bool = True
    warning: str | None = None
    keys: frozenset[str] = frozenset()
    """Paths of values that say something about publication and nothing else."""

    def digest(self) -> bytes:
        """What makes the same row another input: nothing where it is simply published."""
        if (self.state == "publish" and self.end is None) or not self.is_certain:
            return b""
        return f"\x1f{self.state} {self.start} {self.end}".encode()


@dataclass(slots=True)
class Marks:
    """The marks of one row."""

    hidden: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    """Words that announce a date to come."""
    starts: list[tuple[datetime, str]] = field(default_factory=list)
    ends: list[tuple[datetime, str]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    """Paths of values that say something about publication and nothing else."""

    def verdict(self, now: datetime) -> Verdict:
        """What the row is to become at this moment."""
        start = max(self.starts, default=None)
        end = min(self.ends, default=None)
        if self.hidden or self.unclear:
            return self._draft()
        is_to_come = start is not None and start[0] > now
        if self.waits and not is_to_come:
            return _doubt(f"{', '.join(self.waits)}, and no date to come")
        if end is not None and end[0] <= now:
            return Verdict("draft", f"{end[1]} has passed")
        until = end[0] if end is not None else None
        if start is None or not is_to_come:
            return Verdict("publish", end=until)
        if end is not None and end[0] <= start[0]:
            return _doubt(f"{end[1]} is before {start[1]}")
        return Verdict("schedule", f"{start[1]} is to come", start=start[0], end=until)

    def _draft(self) -> Verdict:
        reason = "; ".join([*self.hidden, *(f"{one} cannot be read" for one in self.unclear)])
        if not self.hidden:
            return _doubt(reason)
        against = f"The marks contradict each other: {reason}, but {', '.join(self.shown)}." if self.shown else None
        return Verdict("draft", reason, warning=against)


def _doubt(reason: str) -> Verdict:
    return Verdict("draft", reason, is_certain=False, warning=f"It is not clear whether this is public: {reason}.")


def read_marks(
    row: Row, fields: Iterable[tuple[str, str]], mapping: Mapping | None = None, container: str = ""
) -> Marks:
    """The marks of a row, under their own names and under those of the fields that the mapping fills from them.

    `fields` are the type's: an unknown word in a field of the type is an ordinary value. `container` is the name or
    path of the uploaded file or folder. The targets `$status` and `$publish_at` replace words and dates of the row.
    """
    marks, types = Marks(), dict(fields)
    targets = mapping.root if mapping is not None else {}
    replaced = (words.WORDS if "$status" in targets else frozenset()) | (
        words.STARTS if "$publish_at" in targets else frozenset()
    )
    for path, key, value in _named(row.values):
        if key not in replaced and _read(marks, path, key, value, types.get(path)):
            marks.keys.add(path)
    for target, source in targets.items():
        key = _SPECIAL.get(target, _plain(target))
        if target != source and (target in _SPECIAL or (target in types and _is_known(key))):
            value = value_of(row, source)
            if value is not None or _is_stated_empty(row, source):
                _read(marks, target, key, value, types.get(target))
    _read_output(marks, row)
    _read_folders(marks, row, container)
    if "$publish_at" not in targets:
        _read_path_date(marks, row)
    return marks


def _read_output(marks: Marks, row: Row) -> None:
    """Pages that their generators do not write: `build.render: never` of Hugo, `permalink: false` of Eleventy."""
    for name in ("build", "_build"):
        options = row.values.get(name)
        if isinstance(options, dict) and (said := options.get("render")) is not None and _flag(said) is not True:
            marks.hidden.append(f"{name}.render: {_shown(said)}")
    if row.values.get("permalink") is False:
        marks.hidden.append("permalink: false")


def _is_stated_empty(row: Row, source: str | Extraction | Constant) -> bool:
    """Whether the row states null where a mapping takes a value.

    A key that the row lacks says nothing, and neither does a pattern that does not match.
    """
    if isinstance(source, Constant):
        return True
    path = (source if isinstance(source, str) else source.from_).removeprefix("front.")
    values: JsonValue = row.values
    for name in [path] if path in row.values else path.split("."):
        if not isinstance(values, dict) or name not in values:
            return False
        values = values[name]
    return values is None


def speaks_when_empty(name: str) -> bool:
    """Whether an empty cell of a column of this name says that the row is not public."""
    return _plain(_SEPARATOR.split(name)[-1]) in words.SAID_BY_NOTHING


def _named(values: dict[str, JsonValue], prefix: str = "") -> Iterator[tuple[str, str, JsonValue]]:
    """Path, plain name and value of what may be a mark, also within groups such as `extra` and under `meta.status`."""
    for name, value in values.items():
        *groups, last = _SEPARATOR.split(name)
        if any(_plain(group) not in words.GROUPS for group in groups):
            continue
        key = _plain(last)
        if isinstance(value, dict) and key in words.GROUPS and not prefix:
            yield from _named(value, f"{name}.")
        elif _is_known(key):
            yield f"{prefix}{name}", key, value


def _plain(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _is_known(key: str) -> bool:
    return any(
        key in names for names in (words.HIDING, words.SHOWING, words.WORDS, words.STARTS, words.ENDS, words.SECRETS)
    )


def _read(marks: Marks, path: str, key: str, value: JsonValue, own_type: str | None) -> bool:
    """Take one mark in; whether it is nothing but a mark."""
    shown = f"{path}: {_shown(value)}"
    if key in words.SECRETS:
        if value not in (None, "", False):
            marks.hidden.append(f"{path} is set")
        return False
    if value in (None, ""):
        if key in words.SAID_BY_NOTHING:
            marks.hidden.append(f"{path} is empty")
        return key not in words.STARTS
    if key in words.WORDS:
        return _read_word(marks, key, value, shown, own_type)
    if key in words.STARTS or key in words.ENDS:
        _read_date(marks, key in words.ENDS, value, shown)
        return False
    return _read_flag(marks, key, value, shown, own_type)


def _read_flag(marks: Marks, key: str, value: JsonValue, shown: str, own_type: str | None) -> bool:
    flag, hides = _flag(value), key in words.HIDING
    if flag is not None:
        (marks.hidden if flag is hides else marks.shown).append(shown)
    elif read_moments(value):  # since when, or until when
        _read_date(marks, hides, value, shown)
    elif own_type not in (None, "boolean") and key not in ("draft", "published"):
        return False
    else:
        marks.unclear.append(shown)
    return True


def _read_word(marks: Marks, key: str, value: JsonValue, shown: str, own_type: str | None) -> bool:
    if isinstance(value, dict):  # such as {"name": "Draft"}
        value = [one for one in value.values() if isinstance(one, str)]
    said = [_plain(str(one)) for one in (value if isinstance(value, list) else [value])]
    if any(word in words.HIDDEN_WORDS for word in said):
        marks.hidden.append(shown)
    elif any(word in words.SCHEDULED_WORDS for word in said):
        marks.waits.append(shown)
    elif said and all(word in words.PUBLIC_WORDS for word in said):
        marks.shown.append(shown)
    elif own_type is None and key in words.STATUS:
        marks.unclear.append(shown)
    else:
        return False
    return True


def _read_date(marks: Marks, is_end: bool, value: JsonValue, shown: str) -> None:
    found, flag = read_moments(value), _flag(value)
    if flag is True and not is_end:  # scheduled: true
        marks.waits.append(shown)
    elif flag is not None:
        return  # expires: never
    elif not found:
        marks.unclear.append(shown)
    elif is_end:
        marks.ends.append((min(found), shown))
    else:
        marks.starts.append((max(found), shown))


def _flag(value: JsonValue) -> bool | None:
    if not isinstance(value, bool | int | float | str):
        return None
    word = str(value).strip().lower().removesuffix(".0")
    return True if word in words.TRUE else False if word in words.FALSE else None


def _shown(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps_text(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


def _read_folders(marks: Marks, row: Row, container: str) -> None:
    """Folders and archives of drafts, files such as `_page.md` and `page.draft.md`."""
    outer = [part for part in container.replace("\\", "/").split("/") if part]
    names = row.source.split("/") if row.body is not None else []
    folders = names[:-1] if outer[-1:] == names else [*(name.split(".")[0] for name in outer[-1:]), *names[:-1]]
    folders += [folder for folder in outer[:-1] if folder.lower() == "_drafts"]
    for folder in dict.fromkeys(folders):
        if _plain(folder) in _DRAFT_FOLDERS:
            marks.hidden.append(f"folder {folder}")
    if names:
        first, *others = names[-1].lower().split(".")
        if (first.startswith("_") and first not in SECTION_FILES) or "draft" in others[:-1]:
            marks.hidden.append(f"file name {names[-1]}")


def _read_path_date(marks: Marks, row: Row) -> None:
    if row.body is None:
        return
    for year, month, day in _DAY_IN_PATH.findall(row.source):
        with suppress(ValueError):
            moment = datetime(int(year), int(month), int(day), tzinfo=UTC)
            marks.starts.append((moment, f"the date {moment.date()} in the file's path"))

"""Markdown files as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

from pydantic import JsonValue

from scaicms.kit.slugs import slugify

from .frontmatter import parse_document
from .naming import Naming, arrange, placed
from .paths import Entry
from .rows import BadRow, ReadLimits, Row, RowError, name_parts


def read_markdown(entry: Entry, limits: ReadLimits) -> Row | BadRow:
    """Read one file of a listing; whatever is wrong with it becomes the `BadRow`."""
    try:
        if entry.problem:
            raise entry.problem
        data = entry.read()
        document = parse_document(data, limits)
    except RowError as error:
        return BadRow(entry.source, error.line, error.code, error.message)
    digest = sha256(data).hexdigest()
    slug, warnings = _slug(document.values.get("slug"), entry.base or entry.key, digest)
    return Row(
        source=entry.source,
        line=1,
        key=entry.key,
        digest=digest,
        values=document.values,
        body=document.body,
        slug=slug,
        warnings=document.warnings + warnings,
        base=entry.base,
        locale=entry.locale,
    )


class JoinedFiles:
    """Files whose locales of one item are given one after the other, wherever they lie. Those that say something of it
    themselves are read once for that, and all of them once more, one at a time."""

    def __init__(self, entries: Sequence[Entry], limits: ReadLimits, naming: Naming) -> None:
        self._limits, self._naming = limits, naming
        self._entries = placed(entries, naming)
        self._plan = arrange((self._identity(entry) for entry in self._entries), naming)

    def rows(self, start: int) -> Iterator[Row | BadRow]:
        """From the one at this place in their order on."""
        for number in self._plan.order[start:]:
            entry = self._entries[number]
            if (other := self._plan.repeated.get(number)) is not None:
                message = f"{self._entries[other].source} is the same item in the same locale; only that one was read."
                yield BadRow(entry.source, 1, "duplicate_translation", message)
            else:
                yield self._row(entry)

    def _row(self, entry: Entry) -> Row | BadRow:
        row = read_markdown(entry, self._limits)
        try:
            return self._naming.settle(row) if isinstance(row, Row) else row
        except RowError as error:
            return BadRow(entry.source, error.line, error.code, error.message)

    def _identity(self, entry: Entry) -> tuple[str, str | None] | None:
        if entry.problem is not None:
            return None
        try:
            data = entry.read()
        except RowError:
            return None
        if self._naming.says_nothing(data, self._limits):
            return entry.base, entry.locale
        row = self._row(replace(entry, read=lambda: data))
        return (row.item_key, row.locale) if isinstance(row, Row) else None


def _slug(wanted: JsonValue, key: str, digest: str) -> tuple[str, tuple[str, ...]]:
    """The front matter's `slug`, else the file's name, else its folder's for an index file."""
    warnings: tuple[str, ...] = ()
    if wanted is not None:
        slug = slugify(str(wanted)) if isinstance(wanted, str | int | float) else ""
        if slug == wanted:
            return slug, ()
        if slug:
            return slug, (f"The slug {wanted!r} was written as {slug!r}.",)
        warnings = ("The front matter's slug is not usable; the file's name was taken.",)
    if slug := slugify(name_parts(key)[-1]):
        return slug, warnings
    slug = f"untitled-{digest[:8]}"
    return slug, (*warnings, f"The file's name has no letter or digit; the slug is {slug!r}.")

"""What reading gives: rows, bad rows, the limits it keeps and the errors that end it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import PurePosixPath

from pydantic import JsonValue

from scaicms.kit.slugs import numbered, slugify

MIB = 1024 * 1024
SECTION_FILES = ("index", "_index")


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much one import may hold. Sizes are in bytes, counts in pieces."""

    source_bytes: int = 200 * MIB
    """The file as uploaded (not counted for a folder)."""
    expanded_bytes: int = 1024 * MIB
    """All of an archive's entries together, unpacked, those that are ignored included."""
    entries: int = 20_000
    """Files, folders and links in an archive or a folder."""
    records: int = 100_000
    """Lines of NDJSON, rows of CSV."""
    ratio: int = 100
    """Unpacked to packed size of one entry, checked from `ratio_from_bytes` on."""
    ratio_from_bytes: int = 1 * MIB
    row_bytes: int = 10 * MIB
    """One Markdown file, one line of NDJSON, one row of CSV."""
    front_matter_bytes: int = 64 * 1024
    """The front matter of one file, or the header of CSV, which every one of its rows repeats."""
    keys: int = 1000
    """Keys of one row, columns of CSV."""
    depth: int = 32
    """Objects and lists inside each other."""
    path_bytes: int = 1024


class SourceError(ValueError):
    """The source as a whole cannot be read. `code` is stable, the message is for people."""

    code = "source_error"


class UnknownFormatError(SourceError):
    """It is none of the kinds that can be imported."""

    code = "unknown_format"


class BrokenSourceError(SourceError):
    """The archive is damaged or cut short, or a CSV file has no usable header."""

    code = "broken_source"


class LimitExceededError(SourceError):
    """A limit of `ReadLimits` is passed: too large, too many, or a decompression bomb."""

    code = "limit_exceeded"


class RowError(ValueError):
    """One row cannot be read; becomes a `BadRow`, and the others go on."""

    def __init__(self, code: str, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be imported, with the reason."""

    source: str
    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """One future item.

    `key` names the same row in every later run (unique within one source). For Markdown it is
    the path, without the archive's root folder; for records `id:…` or `slug:…` where they have
    one, else `sha256:…`. `digest` is the SHA-256 of the content, in hex: the same key with the
    same digest has not changed. `values` are the front matter, or the record, as JSON values;
    dates are ISO 8601 strings. `body` is the Markdown after the front matter, None for records.
    """

    source: str
    line: int
    key: str
    digest: str
    values: dict[str, JsonValue]
    body: str | None
    slug: str
    warnings: tuple[str, ...] = ()
    base: str = ""
    """The key without what it says of a locale; empty where it says nothing."""
    locale: str | None = None
    """The locale that the row says it is in, by its name or itself, where rows are joined; else None."""
    translation_key: str | None = None
    said: tuple[str, ...] = ()
    """The keys of `values` that said so."""

    @property
    def item_key(self) -> str:
        """What all rows of one item have in common, in whatever locale. No path begins with two slashes."""
        return self.base or self.key if self.translation_key is None else f"//translationKey/{self.translation_key}"

    @property
    def item_name(self) -> str:
        """The same for people."""
        return self.base or self.key if self.translation_key is None else self.translation_key

    @property
    def stem(self) -> str | None:
        """The file's name without its suffix and locale, its folder's for an index file; None for records."""
        return None if self.body is None else name_parts(self.base or self.key)[-1]

    def slug_alternatives(self) -> Iterator[str]:
        """What to try, in this order, where `slug` is taken: parent folders first, then numbers.

        The iterator never ends. `inside-rust/all-hands.md` gives `inside-rust-all-hands`,
        `all-hands-2`, `all-hands-3`, …
        """
        seen = {self.slug}
        if self.body is not None:
            prefixed = self.slug
            for folder in reversed(name_parts(self.base or self.key)[:-1]):
                prefixed = slugify(f"{folder}-{prefixed}")
                if prefixed not in seen:
                    seen.add(prefixed)
                    yield prefixed
        yield from (numbered(self.slug, number) for number in count(2))


def name_parts(key: str) -> tuple[str, ...]:
    """The folders above a Markdown file and its own name: an index file is its folder's page."""
    path = PurePosixPath(key)
    if path.stem in SECTION_FILES:
        return path.parent.parts or ("index",)
    return (*path.parent.parts, path.stem)

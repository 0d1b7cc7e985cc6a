"""From a path to its rows: what kind of source it is, and reading it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path

from .archives import open_file, open_folder, open_tar, open_zip
from .markdown_rows import read_markdown
from .paths import Listing, Member, list_members
from .records import read_csv, read_ndjson
from .rows import BadRow, LimitExceededError, ReadLimits, Row, SourceError, UnknownFormatError

_ACCEPTED = "a folder, Markdown (.md, .markdown), .zip, .tar, .tar.gz, .ndjson or .csv"
_TAR_MAGIC = slice(257, 262)
_HEAD_BYTES = 4096


class Kind(StrEnum):
    FOLDER = "folder"
    MARKDOWN = "markdown"
    ZIP = "zip"
    TAR = "tar"
    NDJSON = "ndjson"
    CSV = "csv"


_TEXT_SUFFIXES = {
    ".md": Kind.MARKDOWN,
    ".markdown": Kind.MARKDOWN,
    ".ndjson": Kind.NDJSON,
    ".jsonl": Kind.NDJSON,
    ".csv": Kind.CSV,
}


@dataclass
class Source:
    """Something that can be imported. Iterating reads it from the start, a row at a time.

    Iteration raises `BrokenSourceError` and `LimitExceededError` for the source as a whole.
    """

    path: Path
    name: str
    kind: Kind
    limits: ReadLimits
    ignored: list[str] = field(default_factory=list)
    """Paths of the files that are not Markdown; known from the first row on."""

    def __iter__(self) -> Iterator[Row | BadRow]:
        if self.kind is Kind.NDJSON:
            yield from read_ndjson(self.path, self.name, self.limits)
        elif self.kind is Kind.CSV:
            yield from read_csv(self.path, self.name, self.limits)
        else:
            with self._members(keep=True) as members:
                listing = self._listing(members)
                self.ignored = listing.ignored
                for entry in listing.entries:
                    yield read_markdown(entry, self.limits)

    def count(self) -> int:
        """How many rows and bad rows iterating gives, without reading any Markdown."""
        if self.kind in (Kind.NDJSON, Kind.CSV):
            return sum(1 for _ in self)
        with self._members(keep=False) as members:
            return len(self._listing(members).entries)

    def _listing(self, members: list[Member]) -> Listing:
        is_archive = self.kind in (Kind.ZIP, Kind.TAR)
        return list_members(members, self.limits, strip_root=is_archive)

    def _members(self, *, keep: bool) -> AbstractContextManager[list[Member]]:
        openers: dict[Kind, Callable[[Path, ReadLimits], AbstractContextManager[list[Member]]]] = {
            Kind.FOLDER: open_folder,
            Kind.ZIP: open_zip,
            Kind.TAR: partial(open_tar, keep=keep),
            Kind.MARKDOWN: partial(open_file, name=self.name),
        }
        return openers[self.kind](self.path, self.limits)


def open_source(path: Path, *, name: str | None = None, limits: ReadLimits | None = None) -> Source:
    """Find out what the path is, from its content and only then from its name.

    `name`: what the file was called where it came from, if `path` is the store's own.
    Raises `SourceError` where there is nothing, `UnknownFormatError` where it is no kind that can be
    imported, `LimitExceededError` where the file is too large.
    """
    limits = limits or ReadLimits()
    name = (name or path.name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    try:
        if path.is_dir():
            return Source(path, name, Kind.FOLDER, limits)
        if not path.is_file():
            raise SourceError(f"There is no file or folder {path}.")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    if size > limits.source_bytes:
        raise LimitExceededError(f"{name} has {size} bytes; at most {limits.source_bytes} can be imported.")
    return Source(path, name, _kind(head, name), limits)


def count(path: Path, *, name: str | None = None, limits: ReadLimits | None = None) -> int:
    """How many rows and bad rows a source has; errors as in `open_source` and its iteration."""
    return open_source(path, name=name, limits=limits).count()


def _kind(head: bytes, name: str) -> Kind:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Kind.ZIP
    if head.startswith(b"\x1f\x8b") or head[_TAR_MAGIC] == b"ustar":
        return Kind.TAR
    suffix = Path(name.lower()).suffix
    if suffix in _TEXT_SUFFIXES:
        return _TEXT_SUFFIXES[suffix]
    if suffix == ".tar":  # before POSIX 1988, tar files had no magic
        return Kind.TAR
    if b"\0" not in head:
        text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if text.startswith((b"---", b"+++", b"# ")):
            return Kind.MARKDOWN
        if text.startswith(b'{"'):
            return Kind.NDJSON
    raise UnknownFormatError(f"{name} is nothing that can be imported; give {_ACCEPTED}.")

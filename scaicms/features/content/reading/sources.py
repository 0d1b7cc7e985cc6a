"""From a path to its rows: what kind of source it is, and reading it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path

from .archives import open_file, open_folder, open_tar, open_zip
from .markdown_rows import JoinedFiles, read_markdown
from .naming import Naming
from .paths import Listing, Member, list_members
from .records import JoinedRecords, csv_records, ndjson_records, read_csv, read_ndjson
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
    naming: Naming | None = None
    """Where it is given, rows of one item in several locales come one after the other."""
    ignored: list[str] = field(default_factory=list)
    """Paths of the files that are not Markdown; known from the first row on."""
    _plan: JoinedRecords | None = field(default=None, init=False, repr=False)

    def __iter__(self) -> Iterator[Row | BadRow]:
        return self.rows()

    def rows(self, start: int = 0) -> Iterator[Row | BadRow]:
        """All but the first `start`."""
        if self.kind in (Kind.NDJSON, Kind.CSV):
            naming = self.naming
            yield from self._joined(naming).rows(start) if naming is not None else islice(self._records(), start, None)
            return
        with self._members(keep=True) as members:
            listing = self._listing(members)
            self.ignored = listing.ignored
            if self.naming is not None:
                yield from JoinedFiles(listing.entries, self.limits, self.naming).rows(start)
            else:
                for entry in listing.entries[start:]:
                    yield read_markdown(entry, self.limits)

    def count(self) -> int:
        """How many rows and bad rows iterating gives, without reading any Markdown."""
        if self.kind in (Kind.NDJSON, Kind.CSV):
            return len(self._joined(self.naming)) if self.naming is not None else sum(1 for _ in self._records())
        with self._members(keep=False) as members:
            return len(self._listing(members).entries)

    def _records(self) -> Iterator[Row | BadRow]:
        read = read_ndjson if self.kind is Kind.NDJSON else read_csv
        return read(self.path, self.name, self.limits)

    def _joined(self, naming: Naming) -> JoinedRecords:
        if self._plan is None:
            read = ndjson_records if self.kind is Kind.NDJSON else csv_records
            self._plan = JoinedRecords(read, self.path, self.name, self.limits, naming)
        return self._plan

    def _listing(self, members: list[Member]) -> Listing:
        is_archive = self.kind in (Kind.ZIP, Kind.TAR)
        telling = self.naming.known if self.naming is not None else None
        return list_members(members, self.limits, strip_root=is_archive, telling=telling)

    def _members(self, *, keep: bool) -> AbstractContextManager[list[Member]]:
        openers: dict[Kind, Callable[[Path, ReadLimits], AbstractContextManager[list[Member]]]] = {
            Kind.FOLDER: open_folder,
            Kind.ZIP: open_zip,
            Kind.TAR: partial(open_tar, keep=keep),
            Kind.MARKDOWN: partial(open_file, name=self.name),
        }
        return openers[self.kind](self.path, self.limits)


def open_source(
    path: Path, *, name: str | None = None, limits: ReadLimits | None = None, naming: Naming | None = None
) -> Source:
    """Find out what the path is, from its content and only then from its name.

    `name`: what the file was called where it came from, if `path` is the store's own. `naming` joins translations.
    Raises `SourceError` where there is nothing, `UnknownFormatError` where it is no kind that can be
    imported, `LimitExceededError` where the file is too large.
    """
    limits = limits or ReadLimits()
    name = (name or path.name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    try:
        if path.is_dir():
            return Source(path, name, Kind.FOLDER, limits, naming)
        if not path.is_file():
            raise SourceError(f"There is no file or folder {path}.")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    if size > limits.source_bytes:
        raise LimitExceededError(f"{name} has {size} bytes; at most {limits.source_bytes} can be imported.")
    return Source(path, name, _kind(head, name), limits, naming)


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

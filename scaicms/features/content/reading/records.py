"""NDJSON and CSV as rows, a line at a time."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import orjson
from pydantic import JsonValue

from scaicms.kit.slugs import slugify

from .json_values import UnsupportedValueError, to_object
from .marks import speaks_when_empty
from .naming import Naming, arrange
from .rows import BadRow, BrokenSourceError, LimitExceededError, ReadLimits, Row, RowError

if TYPE_CHECKING:  # the name exists for type checkers alone
    from hashlib import _Hash as Hash

_BOM = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t"
_BY_CONTENT = "sha256:"


@dataclass(frozen=True, slots=True)
class _Record:
    """One record, or why it is none. `offset` is where its first line begins, in bytes, `digest` that of all of it."""

    line: int
    offset: int
    digest: str
    values: dict[str, Any] | RowError


_Read = Callable[..., Iterator[_Record]]


def read_ndjson(path: Path, name: str, limits: ReadLimits) -> Iterator[Row | BadRow]:
    """One JSON object a line, in UTF-8; empty lines are skipped. https://github.com/ndjson/ndjson-spec"""
    return _rows(ndjson_records(path, limits), name, limits)


def read_csv(path: Path, name: str, limits: ReadLimits) -> Iterator[Row | BadRow]:
    """RFC 4180 with a header, in UTF-8; semicolons or tabs may separate. Empty cells are left out.

    Every value is a string. Raises `BrokenSourceError` where the header is not usable. Where a quote
    is never closed the rows' ends are lost: a last `BadRow` says that the rest was not read.
    """
    return _rows(csv_records(path, limits), name, limits)


def _rows(records: Iterator[_Record], name: str, limits: ReadLimits) -> Iterator[Row | BadRow]:
    keys: dict[str, int] = {}
    for record in _counted(records, limits):
        row = _row(record, name, limits)
        yield _once(row, keys) if isinstance(row, Row) else row


def _counted(records: Iterator[_Record], limits: ReadLimits) -> Iterator[_Record]:
    for count, record in enumerate(records, start=1):
        if count > limits.records:
            raise LimitExceededError(f"There are more than {limits.records} records; split the file.")
        yield record


def _once(row: Row, keys: dict[str, int]) -> Row | BadRow:
    """The row with a key that no other has, or why it cannot have one."""
    if row.key.startswith(_BY_CONTENT):
        keys[row.key] = keys.get(row.key, 0) + 1
        return _copy(row, keys[row.key])
    if row.key in keys:
        return _repeated(row, keys[row.key])
    keys[row.key] = row.line
    return row


def _copy(row: Row, number: int) -> Row:
    return row if number == 1 else replace(row, key=f"{row.key}:{number}")


def _repeated(row: Row, line: int) -> BadRow:
    if row.translation_key is not None:
        same = f'translationKey, "{row.translation_key}"'
    else:
        same = '{}, "{}"'.format(*row.key.split(":", 1))
    locale = f" and locale, {row.locale}" if row.locale is not None else ""
    message = f"Line {line} has the same {same}{locale}; only that one was read."
    return BadRow(row.source, row.line, "duplicate_key", message)


def _row(record: _Record, name: str, limits: ReadLimits, naming: Naming | None = None) -> Row | BadRow:
    source = f"{name}:{record.line}"
    try:
        if isinstance(record.values, RowError):
            raise record.values
        if len(record.values) > limits.keys:
            raise RowError("too_many_keys", f"The record has more than {limits.keys} keys.")
        try:
            values = to_object(record.values, depth=limits.depth)
        except UnsupportedValueError as error:
            raise RowError("unsupported_value", str(error)) from error
        slug, warnings = _slug(values, name, record.digest)
        row = Row(source, record.line, _key(values, record.digest), record.digest, values, None, slug, warnings)
        return naming.settle(row) if naming is not None else row
    except RowError as error:
        return BadRow(source, record.line, error.code, error.message)


def _key(values: dict[str, JsonValue], digest: str) -> str:
    """An id or slug identifies; content does where there is none, counted where it repeats."""
    for name in ("id", "slug"):
        value = values.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return f"{name}:{value}"
    return f"{_BY_CONTENT}{digest}"


class JoinedRecords:
    """Records whose locales of one item are given one after the other, wherever they stand. Of each there is kept where
    it begins: the file is read once for its plan, and once more, a record at a time."""

    def __init__(self, read: _Read, path: Path, name: str, limits: ReadLimits, naming: Naming) -> None:
        self._read, self._path, self._name, self._limits, self._naming = read, path, name, limits, naming
        self._places = array("q")
        self._lines = array("q")
        self._copies: dict[int, int] = {}
        self._plan = arrange(self._identities(), naming)

    def __len__(self) -> int:
        return len(self._places)

    def rows(self, start: int) -> Iterator[Row | BadRow]:
        """From the one at this place in their order on."""
        for number in self._plan.order[start:]:
            record = next(self._read(self._path, self._limits, self._places[number], self._lines[number]))
            row = _row(record, self._name, self._limits, self._naming)
            if isinstance(row, Row) and number in self._plan.repeated:
                row = _repeated(row, self._lines[self._plan.repeated[number]])
            yield _copy(row, self._copies.get(number, 1)) if isinstance(row, Row) else row

    def _identities(self) -> Iterator[tuple[str, str | None] | None]:
        copies: dict[str, int] = {}
        for number, record in enumerate(_counted(self._read(self._path, self._limits), self._limits)):
            self._places.append(record.offset)
            self._lines.append(record.line)
            row = _row(record, self._name, self._limits, self._naming)
            if isinstance(row, Row) and row.key.startswith(_BY_CONTENT):
                copies[row.key] = self._copies[number] = copies.get(row.key, 0) + 1
                row = _copy(row, copies[row.key])
            yield (row.item_key, row.locale) if isinstance(row, Row) else None


def _slug(values: dict[str, JsonValue], name: str, digest: str) -> tuple[str, tuple[str, ...]]:
    for field in ("slug", "title", "name", "id"):
        value = values.get(field)
        slug = slugify(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if slug:
            changed = field == "slug" and slug != value
            return slug, (f"The slug {value!r} was written as {slug!r}.",) if changed else ()
    slug = slugify(f"{name.rsplit('.', 1)[0]}-{digest[:8]}")
    return slug, (f"There is no slug, title, name or id; the slug is {slug!r}.",)


def _lines(file: IO[bytes], limits: ReadLimits, number: int = 1) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines; None stands for one that is too long, which is skipped in bounded memory."""
    while line := file.readline(limits.row_bytes + 1):
        too_long = len(line) > limits.row_bytes
        while too_long and not line.endswith(b"\n") and (line := file.readline(limits.row_bytes)):
            pass
        yield number, None if too_long else line.removeprefix(_BOM) if number == 1 else line
        number += 1


def _too_large(limits: ReadLimits) -> RowError:
    return RowError("too_large", f"The record is larger than {limits.row_bytes} bytes.")


def ndjson_records(path: Path, limits: ReadLimits, offset: int = 0, line: int = 1) -> Iterator[_Record]:
    """The records from the one on that begins here."""
    with path.open("rb") as file:
        file.seek(offset)
        for number, raw in _lines(file, limits, line):
            if raw is None:
                yield _Record(number, offset, "", _too_large(limits))
            elif content := raw.strip():
                yield _Record(number, offset, sha256(content).hexdigest(), _parse_object(content))
            offset = file.tell()


def _parse_object(content: bytes) -> dict[str, Any] | RowError:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return RowError("broken_json", f"The line is not JSON: {error}.")
    if isinstance(value, dict):
        return value
    return RowError("not_an_object", "The line is JSON, but not an object; write one object { … } a line.")


class _UnreadableRestError(Exception):
    """A line too long to be one of a CSV file."""


def csv_records(path: Path, limits: ReadLimits, offset: int = 0, line: int = 1) -> Iterator[_Record]:
    """The records from the one on that begins here."""
    # The module keeps one limit for the process; a higher one than its 128 KiB harms nobody.
    csv.field_size_limit(max(csv.field_size_limit(), limits.row_bytes))
    with path.open("rb") as file:
        first = file.readline(limits.row_bytes).decode("utf-8", "surrogateescape")
        delimiter = max(_DELIMITERS, key=first.count)
        file.seek(0)
        reader, before = csv.reader(_csv_lines(file, limits), delimiter=delimiter, strict=True), 0
        header = _header(reader, limits)
        beginning = sha256("\x1f".join((*header, "\x1e", "")).encode("utf-8", "surrogateescape"))
        if offset:
            file.seek(offset)
            before = line - 1
            reader = csv.reader(_csv_lines(file, limits, line), delimiter=delimiter, strict=True)
        while True:
            line, offset = before + reader.line_num + 1, file.tell()  # csv takes no line before it needs it
            try:
                cells = next(reader, None)
            except (csv.Error, _UnreadableRestError) as error:
                message = f"The CSV is broken: {error}; the rest of the file was not read."
                yield _Record(line, offset, "", RowError("broken_csv", message))
                return
            if cells is None:
                return
            if cells:
                yield _Record(line, offset, _digest(beginning, cells), _cells(header, cells))


def _csv_lines(file: IO[bytes], limits: ReadLimits, first: int = 1) -> Iterator[str]:
    for number, line in _lines(file, limits, first):
        if line is None:
            raise _UnreadableRestError(f"line {number} is longer than {limits.row_bytes} bytes")
        # Bad bytes must not end the whole file: the cell that has them is refused by itself.
        yield line.decode("utf-8", "surrogateescape")


def _header(reader: Iterator[list[str]], limits: ReadLimits) -> list[str]:
    try:
        header = [cell.strip() for cell in next(reader, [])]
    except (csv.Error, _UnreadableRestError) as error:
        raise BrokenSourceError(f"The CSV's header is broken: {error}.") from error
    if len(header) > limits.keys or sum(map(len, header)) > limits.front_matter_bytes:
        raise BrokenSourceError(
            f"The CSV's header has more than {limits.keys} columns or {limits.front_matter_bytes} characters."
        )
    if "" in header or len(set(header)) != len(header):
        raise BrokenSourceError("The CSV's first line must name every column, each name once.")
    return header


def _cells(header: list[str], cells: list[str]) -> dict[str, Any] | RowError:
    if len(cells) != len(header):
        message = f"The row has {len(cells)} cells where the header has {len(header)}."
        return RowError("wrong_columns", message)
    named = zip(header, cells, strict=True)
    return {name: cell or None for name, cell in named if cell != "" or speaks_when_empty(name)}


def _digest(beginning: Hash, cells: list[str]) -> str:
    """Of header and cells, of which the header has been digested already: every row repeats it."""
    digest = beginning.copy()
    digest.update("\x1f".join(cells).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()

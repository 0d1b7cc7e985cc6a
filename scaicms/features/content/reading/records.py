"""NDJSON and CSV as rows, a line at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import orjson
from pydantic import JsonValue

from scaicms.kit.slugs import slugify

from .json_values import UnsupportedValueError, to_object
from .rows import BadRow, BrokenSourceError, LimitExceededError, ReadLimits, Row, RowError

_BOM = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class _Record:
    """One record, or why it is none."""

    line: int
    content: bytes
    values: dict[str, Any] | RowError


def read_ndjson(path: Path, name: str, limits: ReadLimits) -> Iterator[Row | BadRow]:
    """One JSON object a line, in UTF-8; empty lines are skipped. https://github.com/ndjson/ndjson-spec"""
    return _rows(_ndjson_records(path, limits), name, limits)


def read_csv(path: Path, name: str, limits: ReadLimits) -> Iterator[Row | BadRow]:
    """RFC 4180 with a header, in UTF-8; semicolons or tabs may separate. Empty cells are left out.

    Every value is a string. Raises `BrokenSourceError` where the header is not usable. Where a quote
    is never closed the rows' ends are lost: a last `BadRow` says that the rest was not read.
    """
    return _rows(_csv_records(path, limits), name, limits)


def _rows(records: Iterator[_Record], name: str, limits: ReadLimits) -> Iterator[Row | BadRow]:
    keys: dict[str, int] = {}
    for count, record in enumerate(records, start=1):
        if count > limits.records:
            raise LimitExceededError(f"There are more than {limits.records} records; split the file.")
        source = f"{name}:{record.line}"
        try:
            yield _row(record, source, name, keys, limits)
        except RowError as error:
            yield BadRow(source, record.line, error.code, error.message)


def _row(record: _Record, source: str, name: str, keys: dict[str, int], limits: ReadLimits) -> Row:
    if isinstance(record.values, RowError):
        raise record.values
    try:
        values = to_object(record.values, depth=limits.depth)
    except UnsupportedValueError as error:
        raise RowError("unsupported_value", str(error)) from error
    digest = sha256(record.content).hexdigest()
    key = _key(values, digest, keys, record.line)
    slug, warnings = _slug(values, name, digest)
    return Row(source, record.line, key, digest, values, None, slug, warnings)


def _key(values: dict[str, JsonValue], digest: str, keys: dict[str, int], line: int) -> str:
    """An id or slug identifies; content does where there is none, counted where it repeats."""
    for name in ("id", "slug"):
        value = values.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            key = f"{name}:{value}"
            if key in keys:
                message = f'Line {keys[key]} has the same {name}, "{value}"; only that one was read.'
                raise RowError("duplicate_key", message)
            keys[key] = line
            return key
    key = f"sha256:{digest}"
    keys[key] = keys.get(key, 0) + 1
    return key if keys[key] == 1 else f"{key}:{keys[key]}"


def _slug(values: dict[str, JsonValue], name: str, digest: str) -> tuple[str, tuple[str, ...]]:
    for field in ("slug", "title", "name", "id"):
        value = values.get(field)
        slug = slugify(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if slug:
            changed = field == "slug" and slug != value
            return slug, (f"The slug {value!r} was written as {slug!r}.",) if changed else ()
    slug = slugify(f"{name.rsplit('.', 1)[0]}-{digest[:8]}")
    return slug, (f"There is no slug, title, name or id; the slug is {slug!r}.",)


def _lines(file: IO[bytes], limits: ReadLimits) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines; None stands for one that is too long, which is skipped in bounded memory."""
    number = 0
    while line := file.readline(limits.row_bytes + 1):
        number += 1
        too_long = len(line) > limits.row_bytes
        while too_long and not line.endswith(b"\n") and (line := file.readline(limits.row_bytes)):
            pass
        yield number, None if too_long else line.removeprefix(_BOM) if number == 1 else line


def _too_large(limits: ReadLimits) -> RowError:
    return RowError("too_large", f"The record is larger than {limits.row_bytes} bytes.")


def _ndjson_records(path: Path, limits: ReadLimits) -> Iterator[_Record]:
    with path.open("rb") as file:
        for number, line in _lines(file, limits):
            if line is None:
                yield _Record(number, b"", _too_large(limits))
            elif content := line.strip():
                yield _Record(number, content, _parse_object(content))


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


def _csv_records(path: Path, limits: ReadLimits) -> Iterator[_Record]:
    # The module keeps one limit for the process; a higher one than its 128 KiB harms nobody.
    csv.field_size_limit(max(csv.field_size_limit(), limits.row_bytes))
    with path.open("rb") as file:
        first = file.readline(limits.row_bytes).decode("utf-8", "surrogateescape")
        delimiter = max(_DELIMITERS, key=first.count)
        file.seek(0)
        reader = csv.reader(_csv_lines(file, limits), delimiter=delimiter, strict=True)
        header = _header(reader)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader, None)
            except (csv.Error, _UnreadableRestError) as error:
                message = f"The CSV is broken: {error}; the rest of the file was not read."
                yield _Record(line, b"", RowError("broken_csv", message))
                return
            if cells is None:
                return
            if cells:
                yield _Record(line, _csv_content(header, cells), _cells(header, cells))


def _csv_lines(file: IO[bytes], limits: ReadLimits) -> Iterator[str]:
    for number, line in _lines(file, limits):
        if line is None:
            raise _UnreadableRestError(f"line {number} is longer than {limits.row_bytes} bytes")
        # Bad bytes must not end the whole file: the cell that has them is refused by itself.
        yield line.decode("utf-8", "surrogateescape")


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        header = [cell.strip() for cell in next(reader, [])]
    except (csv.Error, _UnreadableRestError) as error:
        raise BrokenSourceError(f"The CSV's header is broken: {error}.") from error
    if "" in header or len(set(header)) != len(header):
        raise BrokenSourceError("The CSV's first line must name every column, each name once.")
    return header


def _cells(header: list[str], cells: list[str]) -> dict[str, Any] | RowError:
    if len(cells) != len(header):
        message = f"The row has {len(cells)} cells where the header has {len(header)}."
        return RowError("wrong_columns", message)
    return {name: cell for name, cell in zip(header, cells, strict=True) if cell != ""}


def _csv_content(header: list[str], cells: list[str]) -> bytes:
    return "\x1f".join((*header, "\x1e", *cells)).encode("utf-8", "surrogateescape")

"""What front matter and records may hold: JSON that the database can store."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from typing import Any

from pydantic import JsonValue

INTEGER_LIMIT = 2**63


class UnsupportedValueError(ValueError):
    """A value has no JSON form; the message names its place and what would be right."""


def to_json(value: Any, *, depth: int, at: str = "") -> JsonValue:
    """Turn what a YAML, TOML, JSON or CSV parser gave into JSON values.

    Dates and times become ISO 8601 strings (UTC as `Z`), keys become strings. At most `depth`
    levels. Raises `UnsupportedValueError` for what PostgreSQL's JSON or JSON itself cannot hold:
    NUL, lone surrogates, NaN, infinities, integers beyond 64 bits, binary data.
    """
    match value:
        case dict() | list() | tuple() | set() if depth == 0:
            raise UnsupportedValueError(f"{_place(at)} is nested too deeply.")
        case dict():
            return to_object(value, depth=depth, at=at)
        case list() | tuple():
            return [to_json(item, depth=depth - 1, at=f"{at}[{n}]") for n, item in enumerate(value)]
        case set():  # what YAML's !!set gives
            return sorted((_key(item, at) for item in value), key=str)
        case _:
            return _scalar(value, at)


def to_object(values: dict[Any, Any], *, depth: int, at: str = "") -> dict[str, JsonValue]:
    """`to_json` for a table."""
    table = {
        _key(key, at): to_json(item, depth=depth - 1, at=f"{at}.{key}".lstrip(".")) for key, item in values.items()
    }
    if len(table) < len(values):
        raise UnsupportedValueError(f"{_place(at)} has two keys that are the same as text.")
    return table


def iso_datetime(value: datetime) -> str:
    """RFC 3339; in UTC with `Z` where the value has an offset, else left without one."""
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _scalar(value: Any, at: str) -> JsonValue:
    match value:
        case None | bool():
            return value
        case str():
            return _text(value, at)
        case int() if not -INTEGER_LIMIT <= value < INTEGER_LIMIT:
            raise UnsupportedValueError(f"{_place(at)} is an integer beyond 64 bits; quote it to keep it.")
        case float() if not math.isfinite(value):
            raise UnsupportedValueError(f"{_place(at)} is {value}; JSON has finite numbers only.")
        case int() | float():
            return value
        case datetime():
            return _moment(value, at)
        case date() | time():
            return value.isoformat()
        case _:
            raise UnsupportedValueError(
                f"{_place(at)} is a {type(value).__name__}; use text, numbers, dates, lists or tables."
            )


def _moment(value: datetime, at: str) -> str:
    try:
        return iso_datetime(value)
    except OverflowError as error:  # year 1 or 9999, moved by its offset out of the calendar
        raise UnsupportedValueError(f"{_place(at)} is outside the years 1 to 9999 in UTC.") from error


def _key(key: Any, at: str) -> str:
    if isinstance(key, str):
        return _text(key, at)
    if key is None:
        return "null"
    if isinstance(key, bool):
        return str(key).lower()
    return str(_scalar(key, at))


def _text(value: str, at: str) -> str:
    if "\0" in value:
        raise UnsupportedValueError(f"{_place(at)} contains a NUL character.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UnsupportedValueError(f"{_place(at)} contains text that is not UTF-8.") from error
    return value


def _place(at: str) -> str:
    return f'"{at.encode("utf-8", "backslashreplace").decode()}"' if at else "The row"

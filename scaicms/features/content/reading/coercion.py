"""What front matter writes, as the types of fields want it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import JsonValue

from .json_values import iso_datetime

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?")
_BOOLEANS = {"true": True, "false": False}


def coerce(value: JsonValue, field_type: str) -> JsonValue:
    """Bring a value to the form of a field's type; what does not fit is left for validation to refuse.

    - `string`, `text`: a list of strings is joined with ", ".
    - `multiselect`: a single value becomes a list of one.
    - `date`: a date and time loses its time. `datetime`: RFC 3339 in UTC; a date is its midnight, and
      a time without an offset is taken for UTC.
    - `integer`, `number`, `boolean`: text that is exactly one is read, since CSV has nothing but text.
    """
    rule = _RULES.get(field_type)
    return rule(value) if rule else value


def _joined(value: JsonValue) -> JsonValue:
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return ", ".join(str(item) for item in value)
    return value


def _list(value: JsonValue) -> JsonValue:
    return [value] if isinstance(value, str | int | float) else value


def _date(value: JsonValue) -> JsonValue:
    moment = _moment(value)
    return moment.date().isoformat() if moment else value


def _datetime(value: JsonValue) -> JsonValue:
    moment = _moment(value)
    if moment is None:
        return value
    try:
        return iso_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except OverflowError:
        return value


def _moment(value: JsonValue) -> datetime | None:
    # fromisoformat also takes forms such as 20240102 or 2024-W01, which may be plain numbers or words
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d(?:$|[T ])", value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _integer(value: JsonValue) -> JsonValue:
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value


def _number(value: JsonValue) -> JsonValue:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return value
    return int(value) if _INTEGER.fullmatch(value) else float(value)


def _boolean(value: JsonValue) -> JsonValue:
    return _BOOLEANS.get(value.lower(), value) if isinstance(value, str) else value


_RULES: dict[str, Callable[[JsonValue], JsonValue]] = {
    "string": _joined,
    "text": _joined,
    "multiselect": _list,
    "date": _date,
    "datetime": _datetime,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}

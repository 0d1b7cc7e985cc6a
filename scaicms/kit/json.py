"""JSON as scaiCMS reads and writes it: orjson, strict (no NaN, no duplicate decoding paths), depth-bounded."""

import json
import re
from typing import Any
from uuid import UUID

import orjson

MAX_DEPTH = 32
_LONG_NUMBER = re.compile(rb"\d{19}")


class JSONDepthError(ValueError):
    """The document nests deeper than `MAX_DEPTH` levels."""


class JSONSizeError(ValueError):
    """The document has more arrays and objects than are read."""


def dumps(value: Any) -> bytes:
    """UTF-8 JSON; datetimes in UTC end in `Z` (RFC 3339), UUIDs are strings."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def _plain(value: object) -> str:
    # asyncpg's UUID is a subclass, which orjson does not take by itself.
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def dumps_text(value: Any) -> str:
    """The same as text, as asyncpg wants `jsonb` parameters."""
    return dumps(value).decode()


def loads(data: bytes | bytearray | memoryview | str) -> Any:
    """Parse trusted JSON (our own columns)."""
    return orjson.loads(data)


def loads_bounded(data: bytes, max_depth: int = MAX_DEPTH, max_containers: int | None = None) -> Any:
    """Parse a caller's JSON.

    Raises:
        JSONDepthError: it nests deeper than `max_depth`.
        JSONSizeError: it has more than `max_containers` arrays and objects.
        ValueError: it is not JSON (RFC 8259: `NaN`, `Infinity`, lone surrogates are not), nests deeper
            than orjson's own guard of 1,024 levels, or has integers of more than 64 bits.
    """
    value = orjson.loads(data)
    # Each of them begins with a bracket; so may texts.
    most = data.count(b"[") + data.count(b"{")
    if most > max_depth:
        _check_shape(value, max_depth, max_containers if max_containers is not None else most)
    if _LONG_NUMBER.search(data) is not None:
        # Rare, and mostly in texts. What orjson reads as a float others read as an integer that cannot be written.
        json.loads(data, parse_int=_integer)
    return value


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= (number := int(digits)) < 2**64:
        raise ValueError("an integer has more than 64 bits")
    return number


def _check_shape(value: Any, max_depth: int, max_containers: int) -> None:
    """Walk level by level, so that no input recurses, and no further than the bounds."""
    depth, containers, level = 0, 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        containers += len(level)
        if depth > max_depth:
            raise JSONDepthError(f"nested deeper than {max_depth} levels")
        if containers > max_containers:
            raise JSONSizeError(f"has more than {max_containers:,} arrays and objects")
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]

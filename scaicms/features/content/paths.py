"""What lists filter and sort by: paths of a type to SQL, of what kind their values are, and how texts are read as such.

Every path is known here, or refused.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from scaicms.features.content.errors import FieldForbiddenError
from scaicms.features.content.query_tree import FilterError
from scaicms.features.content_types.schemas import FieldDefinition
from scaicms.features.content_types.service import CompiledType, number_sql, order_sql, time_sql
from scaicms.kit.ids import parse_id

COMPARISONS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_EQUAL = ("eq", "ne", "in", "nin")
_ORDERED = (*_EQUAL, *COMPARISONS, "between", "exists")
OPERATORS_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "text": (*_ORDERED, "contains", "icontains", "starts_with", "ends_with"),
    "number": _ORDERED,
    "date": _ORDERED,
    "time": _ORDERED,
    "moment": _ORDERED,
    "id": _EQUAL,
    "relation": (*_EQUAL, "exists"),
    "boolean": ("eq", "ne", "exists"),
    "list": ("contains", *_EQUAL, "exists"),
    "relations": ("contains", *_EQUAL, "exists"),
    "json": ("exists",),
}
MANY = ("list", "relations")
_KINDS = {
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "time",
    "multiselect": "list",
    "relation": "relation",
    "relations": "relations",
    "asset": "relation",
    "assets": "relations",
    "json": "json",
    "richtext": "json",
    "geo": "json",
    "component": "json",
    "components": "json",
    "blocks": "json",
}
# Path outside `data` → (column, kind).
SYSTEM_PATHS: Mapping[str, tuple[str, str]] = {
    "id": ("item_id", "id"),
    "slug": ('slug COLLATE "C"', "text"),
    "version": ("version", "number"),
    "created_at": ("created_at", "moment"),
    "updated_at": ("updated_at", "moment"),
    "published_at": ("published_at", "moment"),
}


@dataclass(slots=True)
class Bound:
    """SQL under construction with its arguments; `start` arguments come before these."""

    start: int
    arguments: list[Any] = field(default_factory=list)

    def bind(self, value: Any) -> str:
        self.arguments.append(value)
        return f"${self.start + len(self.arguments)}"


@dataclass(frozen=True, slots=True)
class Path:
    """One thing to filter or sort by, in the row `row` of a statement."""

    name: str
    sql: str
    kind: str
    row: str = "d"
    key: str | None = None
    """Key in `data`; None for system paths."""
    order: str | None = None
    """What an index of the field orders by: of long texts, their beginning. None where there is no index."""
    type: str = ""
    """The field's type; of system paths, their kind."""


@dataclass(frozen=True, slots=True)
class Visible:
    """Fields that a caller may filter and sort by: private ones where drafts are read, and of those the ones within
    reach; `fields` None is all."""

    private: bool
    fields: frozenset[str] | None = None

    def of(self, content_type: CompiledType, *, html: bool = False) -> list[str]:
        """Paths of the type's fields that exist for the caller; with `html`, also where that of texts stands."""
        seen = [f for f in content_type.fields.values() if self.knows(f) and self.reaches(f.key)]
        beside = [f"data.{f.html_key}" for f in seen if f.html_key is not None] if html else []
        return [f"data.{f.key}" for f in seen] + beside

    def knows(self, definition: FieldDefinition) -> bool:
        return self.private or not definition.private

    def reaches(self, key: str) -> bool:
        return self.fields is None or key in self.fields


def hops(path: str) -> tuple[list[str], str]:
    """The relations that a path leads through, and what it names at its end: `data.author.data.name`."""
    keys, parts = [], path.split(".")
    while len(parts) > 2 and parts[0] == "data":
        keys.append(parts[1])
        parts = parts[2:]
    return keys, ".".join(parts)


def resolve(name: str, content_type: CompiledType, visible: Visible, row: str = "d", *, via: str = "") -> Path:
    """A path of the type; `via` are the relations on the way to it, with a dot at the end.

    Raises:
        FilterError: it has no such path, or a private one where no drafts are read.
        FieldForbiddenError: the field is there, and out of the caller's reach.
    """
    if name in SYSTEM_PATHS:
        column, kind = SYSTEM_PATHS[name]
        return Path(via + name, f"{row}.{column}", kind, row, type=kind)
    prefix, _, key = name.partition(".")
    definition = content_type.fields.get(key) if prefix == "data" else None
    if definition is None or not visible.knows(definition):
        raise _unknown(via + name, name, content_type, visible, via)
    if not visible.reaches(key):
        raise FieldForbiddenError(f"Your rights do not reach {via}{name}; it cannot be filtered or sorted by.")
    order = order_sql(definition, content_type.id, f"{row}.") if definition.indexed else None
    kind = _KINDS.get(definition.type, "text")
    return Path(via + name, _data_sql(definition, kind, row), kind, row, key, order, definition.type)


def _unknown(full: str, name: str, content_type: CompiledType, visible: Visible, via: str) -> FilterError:
    known = [via + path for path in (*SYSTEM_PATHS, *visible.of(content_type))]
    hint = ""
    first, _, rest = name.partition(".")
    if rest and f"{via}data.{first}" in known:
        hint = f" A relation is followed as {via}data.{name}."
    return FilterError(f"{content_type.key} has no {full}.{hint} Known: {', '.join(known)}.")


def _data_sql(definition: FieldDefinition, kind: str, row: str) -> str:
    # The key matches KEY_PATTERN, so it cannot end the literal.
    if kind == "number":
        return number_sql(definition.key, f"{row}.data")
    if kind in (*MANY, "json"):
        return f"{row}.data->'{definition.key}'"
    if kind == "time":
        return f'{time_sql(definition.key, f"{row}.data")} COLLATE "C"'
    return f"({row}.data->>'{definition.key}') COLLATE \"C\""


def read(path: Path, text: str) -> Any:
    """A text as a value of the path, in the form in which it is stored.

    Raises:
        FilterError: the path cannot have such a value.
    """
    try:
        return _READERS.get(path.type, _READERS[path.kind])(text)
    except (ValueError, OverflowError):
        raise FilterError(f"{text!r} is not a value that {path.name} can have.") from None


def _read_number(text: str) -> float | int:
    number = int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else float(text)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


def _read_boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _read_moment(text: str) -> datetime:
    # In a query a + stands for a space, and before an offset there is nothing else that it could have been.
    moment = datetime.fromisoformat(re.sub(r" (?=\d\d:?\d\d$)", "+", text) if "T" in text else text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _read_time(text: str) -> str:
    return _read_moment(text).isoformat().replace("+00:00", "Z")


def _read_date(text: str) -> str:
    if len(text) != 10:
        raise ValueError(text)
    return date.fromisoformat(text).isoformat()


def _read_id(text: str) -> Any:
    parsed = parse_id(text)
    if parsed is None:
        raise ValueError(text)
    return parsed


def read_text(text: str) -> str:
    """A text as PostgreSQL can hold it."""
    if "\0" in text:
        raise ValueError(text)
    return text


_READERS: Mapping[str, Callable[[str], Any]] = {
    "text": read_text,
    "list": read_text,
    "json": read_text,
    "color": lambda text: read_text(text).lower(),
    "number": _read_number,
    "boolean": _read_boolean,
    "moment": _read_moment,
    "date": _read_date,
    "time": _read_time,
    "datetime": _read_time,
    "id": _read_id,
    "relation": lambda text: str(_read_id(text)),
    "relations": lambda text: str(_read_id(text)),
}

"""`filter[…]` parameters to SQL. Every path and operator is known here, or refused; values are always bound."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scaicms.features.content.errors import FieldForbiddenError
from scaicms.features.content_types.schemas import FieldDefinition
from scaicms.features.content_types.service import CompiledType
from scaicms.kit import json
from scaicms.kit.errors import BadRequestError
from scaicms.kit.ids import parse_id

MAX_CLAUSES = 20
MAX_LIST_VALUES = 200

_PARAMETER = re.compile(r"filter\[([a-z][a-z0-9_.]*)\](?:\[([a-z_]+)\])?")
COMPARISONS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
TEXT_OPERATORS = (
    "eq",
    "ne",
    "in",
    "nin",
    "contains",
    "icontains",
    "starts_with",
    "ends_with",
    *COMPARISONS,
    "between",
)
ORDER_OPERATORS = ("eq", "ne", "in", "nin", *COMPARISONS, "between")
OPERATORS_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "text": (*TEXT_OPERATORS, "exists"),
    "number": (*ORDER_OPERATORS, "exists"),
    "moment": (*ORDER_OPERATORS, "exists"),
    "id": ("eq", "ne", "in", "nin"),
    "boolean": ("eq", "ne", "exists"),
    "list": ("contains", "eq", "in", "exists"),
    "json": ("exists",),
}
_KINDS = {
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "multiselect": "list",
    "relations": "list",
    "json": "json",
}
# Path outside `data` → (SQL, kind). `d` is the row source of the list.
SYSTEM_PATHS: Mapping[str, tuple[str, str]] = {
    "id": ("d.item_id", "id"),
    "slug": ('d.slug COLLATE "C"', "text"),
    "version": ("d.version", "number"),
    "created_at": ("d.created_at", "moment"),
    "updated_at": ("d.updated_at", "moment"),
    "published_at": ("d.published_at", "moment"),
}


class FilterError(BadRequestError):
    code = "invalid_filter"


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
    """One thing to filter or sort by."""

    name: str
    sql: str
    kind: str
    key: str | None = None
    """Key in `data`; None for system paths."""


@dataclass(frozen=True, slots=True)
class Visible:
    """Fields that a caller may filter and sort by: private ones where drafts are read, and of those the ones within
    reach; `fields` None is all."""

    private: bool
    fields: frozenset[str] | None = None

    def of(self, content_type: CompiledType) -> list[str]:
        """Paths of the type's fields that exist for the caller."""
        return [f"data.{f.key}" for f in content_type.fields.values() if self.knows(f) and self.reaches(f.key)]

    def knows(self, definition: FieldDefinition) -> bool:
        return self.private or not definition.private

    def reaches(self, key: str) -> bool:
        return self.fields is None or key in self.fields


def resolve(name: str, content_type: CompiledType, visible: Visible) -> Path:
    """A path of the type.

    Raises:
        FilterError: it has no such path, or a private one where no drafts are read.
        FieldForbiddenError: the field is there, and out of the caller's reach.
    """
    if name in SYSTEM_PATHS:
        sql, kind = SYSTEM_PATHS[name]
        return Path(name, sql, kind)
    prefix, _, key = name.partition(".")
    definition = content_type.fields.get(key) if prefix == "data" else None
    if definition is None or not visible.knows(definition):
        known = [*SYSTEM_PATHS, *visible.of(content_type)]
        raise FilterError(f"{content_type.key} has no {name}. Known: {', '.join(known)}.")
    if not visible.reaches(key):
        raise FieldForbiddenError(f"Your rights do not reach {name}; it cannot be filtered or sorted by.")
    return Path(name, _data_sql(definition), _KINDS.get(definition.type, "text"), key)


def _data_sql(definition: FieldDefinition) -> str:
    # The key matches KEY_PATTERN, so it cannot end the literal.
    kind = _KINDS.get(definition.type, "text")
    if kind == "number":
        return f"(d.data->'{definition.key}')::numeric"
    if kind in ("list", "json"):
        return f"d.data->'{definition.key}'"
    return f"(d.data->>'{definition.key}') COLLATE \"C\""


def compile_filters(
    parameters: Sequence[tuple[str, str]], content_type: CompiledType, bound: Bound, visible: Visible
) -> list[str]:
    """SQL conditions, all of which must hold."""
    if len(parameters) > MAX_CLAUSES:
        raise FilterError(f"At most {MAX_CLAUSES} filters.")
    return [_clause(name, value, content_type, bound, visible) for name, value in parameters]


def _clause(name: str, value: str, content_type: CompiledType, bound: Bound, visible: Visible) -> str:
    matched = _PARAMETER.fullmatch(name)
    if matched is None:
        raise FilterError(f"{name} is not a filter; write filter[data.title]=… or filter[data.price][gte]=….")
    path = resolve(matched[1], content_type, visible)
    operator = matched[2] or "eq"
    allowed = OPERATORS_OF_KIND[path.kind]
    if operator not in allowed:
        raise FilterError(f"{path.name} knows no operator {operator}; it has {', '.join(allowed)}.")
    return _OPERATORS[operator](path, value, bound)


def _read(path: Path, text: str) -> Any:
    """The value of a parameter in the type of its path."""
    try:
        return _READERS[path.kind](text)
    except ValueError:
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
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _read_id(text: str) -> Any:
    parsed = parse_id(text)
    if parsed is None:
        raise ValueError(text)
    return parsed


def _read_text(text: str) -> str:
    if "\0" in text:
        raise ValueError(text)
    return text


_READERS: Mapping[str, Callable[[str], Any]] = {
    "text": _read_text,
    "list": _read_text,
    "json": _read_text,
    "number": _read_number,
    "boolean": _read_boolean,
    "moment": _read_moment,
    "id": _read_id,
}


def _equal(path: Path, value: str, bound: Bound) -> str:
    read = _read(path, value)
    if path.key is not None:
        # Containment, which the GIN index on `data` answers.
        wanted = {path.key: [read] if path.kind == "list" else read}
        return f"d.data @> {bound.bind(json.dumps_text(wanted))}::jsonb"
    return f"{path.sql} = {_argument(path, read, bound)}"


def _argument(path: Path, read: Any, bound: Bound) -> str:
    """A placeholder for a value; numbers travel as text, since any size and scale may be asked for."""
    return f"{bound.bind(str(read))}::text::numeric" if path.kind == "number" else bound.bind(read)


def _not_equal(path: Path, value: str, bound: Bound) -> str:
    return f"NOT ({_equal(path, value, bound)})"


def _values(path: Path, value: str) -> list[str]:
    values = value.split(",")
    if len(values) > MAX_LIST_VALUES:
        raise FilterError(f"{path.name}: at most {MAX_LIST_VALUES} values.")
    return values


def _any_of(path: Path, value: str, bound: Bound) -> str:
    return "(" + " OR ".join(_equal(path, item, bound) for item in _values(path, value)) + ")"


def _none_of(path: Path, value: str, bound: Bound) -> str:
    return f"NOT {_any_of(path, value, bound)}"


def _compare(symbol: str) -> Callable[[Path, str, Bound], str]:
    def build(path: Path, value: str, bound: Bound) -> str:
        return f"{path.sql} {symbol} {_argument(path, _read(path, value), bound)}"

    return build


def _between(path: Path, value: str, bound: Bound) -> str:
    values = value.split(",")
    if len(values) != 2:
        raise FilterError(f"{path.name}: between takes two values with a comma.")
    low, high = _compare(">=")(path, values[0], bound), _compare("<=")(path, values[1], bound)
    return f"({low} AND {high})"


def _like(before: str, after: str, operator: str = "LIKE") -> Callable[[Path, str, Bound], str]:
    def build(path: Path, value: str, bound: Bound) -> str:
        if path.kind == "list":
            return _equal(path, value, bound)
        escaped = re.sub(r"([\\%_])", r"\\\1", _read_text(value))
        return f"{path.sql} {operator} {bound.bind(before + escaped + after)}"

    return build


def _exists(path: Path, value: str, _: Bound) -> str:
    if value not in ("true", "false"):
        raise FilterError(f"{path.name}: exists is true or false.")
    present = f"d.data ? '{path.key}'" if path.key is not None else f"{path.sql} IS NOT NULL"
    return present if value == "true" else f"NOT ({present})"


_OPERATORS: Mapping[str, Callable[[Path, str, Bound], str]] = {
    "eq": _equal,
    "ne": _not_equal,
    "in": _any_of,
    "nin": _none_of,
    "between": _between,
    "contains": _like("%", "%"),
    "icontains": _like("%", "%", "ILIKE"),
    "starts_with": _like("", "%"),
    "ends_with": _like("%", ""),
    "exists": _exists,
    **{name: _compare(symbol) for name, symbol in COMPARISONS.items()},
}


def compile_sort(sort: str | None, content_type: CompiledType, visible: Visible, *, default: str) -> str:
    """`ORDER BY` without the words; ids break ties, so that pages never overlap."""
    parts = []
    for name in (sort or default).split(","):
        path = resolve(name.removeprefix("-"), content_type, visible)
        if path.kind in ("list", "json"):
            raise FilterError(f"{path.name} has no order to sort by.")
        # Only where nulls can be: an index in the default order of nulls would not be used for the other one.
        nulls = " NULLS LAST" if path.key is not None or visible.private else ""
        parts.append(f"{path.sql} {'DESC' if name.startswith('-') else 'ASC'}{nulls}")
    descending = (sort or default).startswith("-")
    return ", ".join([*parts, f"d.item_id {'DESC' if descending else 'ASC'}"])

"""Stored data from one set of fields to another: renamed, converted, filled up, and back again. Nothing here checks."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from scaicms.features.content_types.fields import (
    COMPONENT_TYPES,
    TEXT_TYPES,
    ComponentDefinition,
    FieldDefinition,
    all_components,
)
from scaicms.features.content_types.walking import elements_of
from scaicms.kit import richtext

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ITEMS = {"multiselect": "string", "relations": "relation", "assets": "asset"}
_LISTS = _ITEMS.keys()
_PLAIN = 1_000_000


class Reshaper:
    """Makes data that fits `old` fit `new`, as far as that can be done; what cannot is left for the check to refuse."""

    def __init__(self, old: Sequence[FieldDefinition], new: Sequence[FieldDefinition]) -> None:
        self._old, self._new = tuple(old), tuple(new)
        self._old_components = {component.key: component for component in all_components(old)}
        self._new_components = {component.key: component for component in all_components(new)}

    def reshape(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return self._fields(self._old, self._new, data)

    def _fields(
        self, old: Iterable[FieldDefinition], new: Iterable[FieldDefinition], data: Mapping[str, Any]
    ) -> dict[str, Any]:
        before, proposal = {field.key: field for field in old}, tuple(new)
        moved = moved_keys(proposal)
        out: dict[str, Any] = {}
        for field in proposal:
            source = source_of(field, before, moved)
            if source is not None and source in data:
                out[field.key] = self._value(before[source], field, data[source])
            elif field.default is not None and (source is None or field.required):
                out[field.key] = field.default
        return out

    def _value(self, was: FieldDefinition, now: FieldDefinition, value: Any) -> Any:
        if was.type in COMPONENT_TYPES and now.type in COMPONENT_TYPES:
            elements = [self._component(element) for element in elements_of(value)]
            return elements[0] if now.type == "component" and len(elements) == 1 else elements
        return value if was.type == now.type else convert(value, was.type, now.type)

    def _component(self, element: dict[str, Any]) -> dict[str, Any]:
        old: ComponentDefinition | None = self._old_components.get(element["_type"])
        new: ComponentDefinition | None = self._new_components.get(element["_type"])
        if old is None or new is None:
            return element
        kept = {key: element[key] for key in ("_type", "_id")}
        return {**kept, **self._fields(old.fields, new.fields, element)}


def source_of(field: FieldDefinition, old: Mapping[str, FieldDefinition], moved: frozenset[str]) -> str | None:
    """Key of the old field whose values `field` takes over; None for a new field.

    `moved` are the old keys that any field of the proposal is `renamed_from`: what has their name now is another field.
    """
    if field.renamed_from is not None:
        return field.renamed_from
    return field.key if field.key in old and field.key not in moved else None


def moved_keys(proposal: Iterable[FieldDefinition]) -> frozenset[str]:
    return frozenset(field.renamed_from for field in proposal if field.renamed_from is not None)


def inverted(old: Sequence[FieldDefinition], proposal: Sequence[FieldDefinition]) -> tuple[FieldDefinition, ...]:
    """`old` as a proposal that undoes `proposal`, which was applied to it."""
    return _inverted(old, proposal, {component.key: component.fields for component in all_components(proposal)})


def _inverted(
    old: Sequence[FieldDefinition], new: Sequence[FieldDefinition], inner: Mapping[str, Sequence[FieldDefinition]]
) -> tuple[FieldDefinition, ...]:
    became = {field.renamed_from: field.key for field in new}
    return tuple(
        field.model_copy(
            update={
                "renamed_from": became.get(field.key),
                "components": field.components
                and tuple(
                    c.model_copy(update={"fields": _inverted(c.fields, inner.get(c.key, c.fields), inner)})
                    for c in field.components
                ),
            }
        )
        for field in old
    )


def settled(fields: Iterable[FieldDefinition]) -> tuple[FieldDefinition, ...]:
    """The fields of a proposal as they are stored: where they came from is history."""
    return tuple(
        field.model_copy(
            update={
                "renamed_from": None,
                "components": field.components
                and tuple(c.model_copy(update={"fields": settled(c.fields)}) for c in field.components),
            }
        )
        for field in fields
    )


def restored(
    data: dict[str, Any],
    proposal: Sequence[FieldDefinition],
    current: tuple[Mapping[str, FieldDefinition], Mapping[str, Any]],
    backup: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> dict[str, Any]:
    """`data`, which was reshaped back, with what the undone change had taken away or converted put in again.

    `current` are the fields and the data as they are now, `backup` the data before and after the undone change. A value
    that was written since then stays as it was written.
    """
    fields, now = current
    before, after = backup
    moved = moved_keys(proposal)
    for field in proposal:
        source = source_of(field, fields, moved)
        if source is not None and now.get(source) != after.get(source):
            continue
        if field.key in before:
            data[field.key] = before[field.key]
        elif source is not None:
            data.pop(field.key, None)
    return data


def convert(value: Any, old: str, new: str) -> Any:
    """A value of one type of field as one of another; unchanged where there is no way."""
    if new in _LISTS and not isinstance(value, list):
        return [convert(value, old, _ITEMS[new])]
    if isinstance(value, list) and old in _LISTS and new not in _LISTS and new != "json":
        return convert(value[0], _ITEMS[old], new) if len(value) == 1 else value
    rule = _RULES.get("string" if new in TEXT_TYPES | {"select", "color"} else new)
    return rule(value, old) if rule is not None else value


def _to_text(value: Any, old: str) -> Any:
    if old == "richtext":
        return richtext.to_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if float(value).is_integer() and abs(value) < _PLAIN else str(value)
    return value


def _to_rich_text(value: Any, _: str) -> Any:
    if not isinstance(value, str):
        return value
    lines = [line for line in value.splitlines() if line.strip()]
    content = [{"type": "paragraph", "content": [{"type": "text", "text": line}]} for line in lines]
    return {"type": "doc", "content": content}


def _to_integer(value: Any, _: str) -> Any:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _to_number(value: Any, _: str) -> Any:
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _to_date(value: Any, old: str) -> Any:
    return value[:10] if old == "datetime" or (isinstance(value, str) and _DATE.match(value)) else value


def _to_datetime(value: Any, _: str) -> Any:
    return f"{value}T00:00:00Z" if isinstance(value, str) and _DATE.fullmatch(value) else value


_RULES: Mapping[str, Callable[[Any, str], Any]] = {
    "string": _to_text,
    "richtext": _to_rich_text,
    "integer": _to_integer,
    "number": _to_number,
    "boolean": lambda value, _: {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value,
    "date": _to_date,
    "datetime": _to_datetime,
}

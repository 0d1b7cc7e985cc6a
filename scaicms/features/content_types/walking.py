"""Walking through `data` along the definitions of its fields, into components and blocks."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from scaicms.features.content_types.fields import (
    ASSET_TYPES,
    COMPONENT_TYPES,
    MAX_DEPTH,
    ComponentDefinition,
    FieldDefinition,
)
from scaicms.kit import json
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.ids import new_id

Render = Callable[[FieldDefinition, Any], str]
"""Gives the HTML of a value of a field that has any."""

Components = Mapping[str, ComponentDefinition]


class Pointer(NamedTuple):
    """Something beside the item that a value points to: another item, or an asset."""

    target: UUID
    asset: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that is no component, with its field; `top` is the key in `data` below which it lies."""

    pointer: str
    top: str
    field: FieldDefinition
    value: Any

    @property
    def pointers(self) -> list[Pointer]:
        """What a relation or an asset field points to; nothing for other fields."""
        asset = self.field.type in ASSET_TYPES
        if self.field.target is None and not asset:
            return []
        return [Pointer(UUID(one), asset) for one in (self.value if isinstance(self.value, list) else [self.value])]


def leaves(
    fields: Collection[FieldDefinition],
    components: Components,
    data: Mapping[str, Any],
    pointer: str = "",
    top: str = "",
) -> Iterator[Leaf]:
    """Every value that is set, those in components included. Pointers (RFC 6901) begin at `data`."""
    for field in fields:
        value = data.get(field.key)
        if value is None:
            continue
        place, root = f"{pointer}/{field.key}", top or field.key
        if field.type not in COMPONENT_TYPES:
            yield Leaf(place, root, field, value)
            continue
        for number, element in enumerate(elements_of(value)):
            # Data of another version of the type may have what this version does not define.
            component = components.get(str(element.get("_type"))) if isinstance(element, dict) else None
            if component is not None:
                inside = f"{place}/{number}" if isinstance(value, list) else place
                yield from leaves(component.fields, components, element, inside, root)


MAX_ELEMENTS = 5_000
"""Components in the data of one item, at any depth."""


def refuse_many_components(
    fields: Collection[FieldDefinition], components: Components, data: Mapping[str, Any]
) -> None:
    """Refuse data with more than `MAX_ELEMENTS` components before each of them is checked.

    Raises:
        InvalidError: there are more; the pointer is that of the field of the type.
    """
    left = MAX_ELEMENTS
    for field in fields:
        left -= _count_elements(field, components, data.get(field.key), left)
        if left < 0:
            raise _wrong(f"/data/{field.key}", "too_many", f"An item has at most {MAX_ELEMENTS:,} components.")


def _count_elements(field: FieldDefinition, components: Components, value: Any, most: int) -> int:
    """How many components a value that is not checked yet has, at any depth; stops when there are more than `most`."""
    if field.type not in COMPONENT_TYPES or not isinstance(value, list | dict):
        return 0
    elements = value if isinstance(value, list) else [value]
    count = len(elements)
    for element in elements:
        component = components.get(str(element.get("_type"))) if isinstance(element, dict) else None
        for inner in component.fields if component is not None else ():
            if count > most:
                return count
            if inner.type in COMPONENT_TYPES:
                count += _count_elements(inner, components, element.get(inner.key), most - count)
    return count


def elements_of(value: Any) -> list[dict[str, Any]]:
    """The components in a checked value of a component field."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def shown(
    fields: Collection[FieldDefinition], components: Components, data: Mapping[str, Any], render: Render | None = None
) -> dict[str, Any]:
    """`data` without private fields, also those of components; with `render`, texts have their HTML beside them."""
    out = {key: data[key] for key in ("_type", "_id") if key in data}
    for field in fields:
        if field.private or field.key not in data:
            continue
        value = data[field.key]
        if field.type in COMPONENT_TYPES:
            inner = [_shown_element(components, element, render) for element in elements_of(value)]
            value = inner if isinstance(value, list) else inner[0]
        out[field.key] = value
        if render is not None and field.html_key is not None:
            out[field.html_key] = render(field, value)
    return out


def _shown_element(components: Components, element: Any, render: Render | None) -> Any:
    # On its way through a plan a value may not be what its field takes; the check will say so.
    component = components.get(str(element.get("_type"))) if isinstance(element, dict) else None
    return element if component is None else shown(component.fields, components, element, render)


def settle_ids(
    fields: Collection[FieldDefinition],
    components: Components,
    data: dict[str, Any],
    old: Mapping[str, Any] | None = None,
) -> None:
    """Give every component in checked `data` its `_id`: the one it was sent with; else, if an equal one stood in the
    same field before (`old`), that one's; else a new one.

    Raises:
        InvalidError: two components have the same id, or they nest deeper than `MAX_DEPTH`.
    """
    _Ids(components).settle(fields, data, old or {})


class _Ids:
    def __init__(self, components: Components) -> None:
        self._components = components
        self._used: set[str] = set()

    def settle(self, fields: Collection[FieldDefinition], data: dict[str, Any], old: Mapping[str, Any]) -> None:
        self._collect(fields, data, "/data", 1)
        self._carry(fields, data, old)

    def _collect(self, fields: Collection[FieldDefinition], data: Mapping[str, Any], pointer: str, depth: int) -> None:
        for field, value in _component_values(fields, data):
            place = f"{pointer}/{field.key}"
            for number, element in enumerate(elements_of(value)):
                inside = f"{place}/{number}" if isinstance(value, list) else place
                if depth > MAX_DEPTH:
                    raise _wrong(inside, "too_deep", f"Components nest at most {MAX_DEPTH} levels.")
                given = element.get("_id")
                if given in self._used:
                    raise _wrong(f"{inside}/_id", "duplicate_id", f"Another component has the id {given}.")
                if given is not None:
                    self._used.add(given)
                self._collect(self._components[element["_type"]].fields, element, inside, depth + 1)

    def _carry(self, fields: Collection[FieldDefinition], data: dict[str, Any], old: Mapping[str, Any]) -> None:
        for field, value in _component_values(fields, data):
            before = [element for element in elements_of(old.get(field.key)) if "_id" in element]
            by_id = {element["_id"]: element for element in before}
            alike: dict[bytes, list[dict[str, Any]]] = {}
            for element in before:
                alike.setdefault(_content(element, field), []).append(element)
            for element in elements_of(value):
                twin = self._twin(element, by_id, alike.get(_content(element, field), []))
                self._carry(self._components[element["_type"]].fields, element, twin or {})

    def _twin(
        self, element: dict[str, Any], by_id: Mapping[str, dict[str, Any]], alike: list[dict[str, Any]]
    ) -> dict[str, Any] | None:
        """The element as it stood before, after settling its id."""
        if "_id" in element:
            return by_id.get(element["_id"])
        twin = next((one for one in alike if one["_id"] not in self._used), None)
        element["_id"] = twin["_id"] if twin is not None else str(new_id())
        self._used.add(element["_id"])
        return twin


def _component_values(
    fields: Collection[FieldDefinition], data: Mapping[str, Any]
) -> Iterator[tuple[FieldDefinition, Any]]:
    return ((f, data[f.key]) for f in fields if f.type in COMPONENT_TYPES and data.get(f.key) is not None)


def _content(element: Mapping[str, Any], field: FieldDefinition) -> bytes:
    """What makes two elements the same but for their ids; there is only one of a single component."""
    if field.type == "component":
        return json.dumps(element["_type"])
    return json.dumps(_bare(element))


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _bare(value[key]) for key in sorted(value) if key != "_id"}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _wrong(pointer: str, code: str, message: str) -> InvalidError:
    return InvalidError("The data does not fit the content type.", errors=[FieldError(pointer, code, message)])

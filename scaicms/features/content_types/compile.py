"""From field definitions to one validator, compiled once per version of a content type."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import chain
from operator import or_
from typing import Annotated, Any, ForwardRef, Literal
from uuid import UUID

import re2
from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag, ValidationError, create_model

from scaicms.features.content_types.fields import (
    ASSET_TYPES,
    COMPONENT_TYPES,
    RELATION_TYPES,
    ComponentDefinition,
    FieldDefinition,
    all_components,
    all_fields,
)
from scaicms.features.content_types.values import BUILDERS, list_of
from scaicms.features.content_types.walking import Leaf, Render, leaves, refuse_many_components, settle_ids, shown
from scaicms.features.content_types.workflows import Workflow
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.schemas import field_errors

ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
# Tags of pydantic's unions show up in the places of errors. With a blank in it, none can be a field's key.
_TAG = "component "
_TAG_IN_POINTER = re.compile(rf"/{_TAG}[a-z0-9_]+(?=/)")


@dataclass(frozen=True)
class CompiledType:
    """A content type, ready for use. Immutable; replaced as a whole when the type changes.

    `layout` counts the changes that rewrote stored data.
    """

    id: UUID
    site_id: UUID
    key: str
    name: str
    kind: str
    version: int
    layout: int
    url_pattern: str | None
    settings: Mapping[str, Any]
    fields: Mapping[str, FieldDefinition]
    components: Mapping[str, ComponentDefinition]
    """What the fields define, at any depth."""
    model: type[BaseModel]
    workflow: Workflow | None = None

    @cached_property
    def has_relations(self) -> bool:
        """Whether any field, also one of a component, points to items or assets."""
        fields = chain(self.fields.values(), *(component.fields for component in self.components.values()))
        return any(field.type in RELATION_TYPES | ASSET_TYPES for field in fields)

    @cached_property
    def largest_pattern(self) -> int:
        """Instructions of the largest pattern of any field (RE2); 0 without patterns."""
        patterns = [field.pattern for field in all_fields(tuple(self.fields.values())) if field.pattern is not None]
        return max((re2.compile(pattern).programsize for pattern in patterns), default=0)

    @property
    def unique_keys(self) -> list[str]:
        return [field.key for field in self.fields.values() if field.unique]

    @cached_property
    def localized_keys(self) -> frozenset[str]:
        """The fields of which each locale has a value of its own; the others are one for all locales of an item."""
        return frozenset(field.key for field in self.fields.values() if field.localized)

    @property
    def title_key(self) -> str | None:
        """The field that names an item: `title` or `name`, else the first string."""
        for key in ("title", "name"):
            if key in self.fields and self.fields[key].type in ("string", "text"):
                return key
        return next((field.key for field in self.fields.values() if field.type == "string"), None)

    def validate(self, data: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """`data` as it is stored: checked, defaults filled in, nulls left out; components keep the ids they had in
        `old`.

        Raises:
            InvalidError: it does not fit; with a JSON pointer (RFC 6901) for everything that is wrong.
        """
        refuse_many_components(self.fields.values(), self.components, data)
        try:
            checked = self.model.model_validate(data).model_dump(by_alias=True, exclude_none=True)
        except ValidationError as error:
            raise InvalidError("The data does not fit the content type.", errors=_errors(error)) from None
        settle_ids(self.fields.values(), self.components, checked, old)
        return checked

    def leaves(self, data: Mapping[str, Any]) -> Iterator[Leaf]:
        """Every value with its field, those in components included."""
        return leaves(self.fields.values(), self.components, data)

    def public(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """`data` without private fields."""
        return shown(self.fields.values(), self.components, data)

    def published(self, data: Mapping[str, Any], render: Render) -> dict[str, Any]:
        """`data` as documents carry it: without private fields, with what `render` gives for texts beside them."""
        return shown(self.fields.values(), self.components, data, render)

    def without_private(self) -> "CompiledType":
        """The type as readers know it; for describing and checking what is published."""
        fields = _public(self.fields.values())
        components: dict[str, ComponentDefinition] = {}
        named = [key for field in fields for key in field.component_keys]
        while named:
            key = named.pop()
            if key not in components:
                seen = _public(self.components[key].fields)
                components[key] = self.components[key].model_copy(update={"fields": tuple(seen)})
                named += [inner for field in seen for inner in field.component_keys]
        return replace(
            self,
            fields={field.key: field for field in fields},
            components=components,
            model=compile_model(self.key, fields, components),
        )


def _public(fields: Iterable[FieldDefinition]) -> list[FieldDefinition]:
    return [field for field in fields if not field.private]


def _errors(error: ValidationError) -> list[FieldError]:
    return [
        FieldError(_TAG_IN_POINTER.sub("", found.pointer), found.code, found.message)
        for found in field_errors(error, "/data")
    ]


def compile_model(
    name: str,
    fields: Sequence[FieldDefinition],
    components: Mapping[str, ComponentDefinition] | None = None,
) -> type[BaseModel]:
    """The pydantic model of `data`: unknown keys refused, null is "not set".

    `components` are those that fields may name without defining them; by default, what the fields define.
    """
    return compile_models(name, fields, components)[0]


def compile_models(
    name: str, fields: Sequence[FieldDefinition], components: Mapping[str, ComponentDefinition] | None = None
) -> tuple[type[BaseModel], dict[str, type[BaseModel]]]:
    """The same with the models of the components, by their keys."""
    known = components if components is not None else {c.key: c for c in all_components(fields)}
    try:
        inner = {key: _component_model(component) for key, component in known.items()}
        models = {component_model_name(key): model for key, model in inner.items()}
        data = create_model(f"{name}_data", __config__=ConfigDict(extra="forbid"), **_columns(fields))
        every: list[type[BaseModel]] = [*models.values(), data]
        for model in every:
            model.model_rebuild(force=True, _types_namespace=models)
    except RecursionError:
        message = "Components allow each other in a chain that is too long. Let fewer components allow others."
        raise InvalidError(message, errors=[FieldError("/fields", "too_deep", message)]) from None
    return data, inner


def component_model_name(key: str) -> str:
    """What a component is called in JSON Schema."""
    return f"Component_{key}"


def _component_model(component: ComponentDefinition) -> type[BaseModel]:
    own: dict[str, Any] = {
        "kind": (Literal[component.key], Field(default=component.key, alias="_type")),
        "id": (Annotated[str, StringConstraints(pattern=ID_PATTERN)] | None, Field(default=None, alias="_id")),
    }
    return create_model(
        component_model_name(component.key),
        __config__=ConfigDict(extra="forbid"),
        **own,
        **_columns(component.fields),
    )


def _columns(fields: Sequence[FieldDefinition]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for number, field in enumerate(fields):
        annotation = _of_components(field) if field.type in COMPONENT_TYPES else BUILDERS[field.type](field)
        # The key is an alias: as an attribute, `json` or `model_config` would collide with pydantic's own.
        about: dict[str, Any] = {"alias": field.key, "title": field.label, "description": field.help}
        if field.required and field.default is None:
            columns[f"f{number}"] = (annotation, Field(**about))
        else:
            # What is required is never null: there, null would take a value away for good.
            kind = annotation if field.required else annotation | None
            columns[f"f{number}"] = (kind, Field(default=field.default, validate_default=True, **about))
    return columns


def _of_components(field: FieldDefinition) -> Any:
    named = {key: Annotated[ForwardRef(component_model_name(key)), Tag(_TAG + key)] for key in field.component_keys}
    if field.type == "component":
        return named[field.component_keys[0]]
    if len(named) == 1:
        return list_of(named[field.component_keys[0]], field)
    choice = Discriminator(
        _tag_of,
        custom_error_type="unknown_component",
        custom_error_message=f"must be an object with _type one of {', '.join(named)}",
    )
    return list_of(Annotated[reduce(or_, named.values()), choice], field)


def _tag_of(value: Any) -> str | None:
    key = value.get("_type") if isinstance(value, dict) else getattr(value, "kind", None)
    return _TAG + key if isinstance(key, str) else None

"""From stored definitions to fields and compiled types, and back."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from scaicms.features.content_types.compile import CompiledType, compile_model, compile_models
from scaicms.features.content_types.fields import FieldDefinition, all_components, all_fields
from scaicms.features.content_types.models import ContentTypeRow
from scaicms.features.content_types.workflows import Workflow
from scaicms.kit import json
from scaicms.kit.errors import FieldError, InvalidError

LARGE_BYTES = 8 * 1024


def fields_of(stored: object) -> tuple[FieldDefinition, ...]:
    """Fields as a JSON column of this feature holds them."""
    columns: list[object] = stored  # type: ignore[assignment]  # JSON column, written by this module alone
    return tuple(FieldDefinition.model_validate(field) for field in columns)


def stored_form(fields: Iterable[FieldDefinition]) -> list[dict[str, Any]]:
    return [field.model_dump(mode="json") for field in fields]


def compile_row(row: ContentTypeRow, fields: Sequence[FieldDefinition] | None = None) -> CompiledType:
    """The type of a row, with its own fields or with others."""
    given = fields if fields is not None else fields_of(row.definitions)
    settings: Mapping[str, object] = row.settings  # type: ignore[assignment]  # JSON column, written here alone
    components = {component.key: component for component in all_components(given)}
    return CompiledType(
        id=row.id,
        site_id=row.site_id,
        key=row.key,
        name=row.name,
        kind=row.kind,
        version=row.version,
        layout=row.layout,
        url_pattern=row.url_pattern,
        settings=settings,
        workflow=Workflow.model_validate(row.workflow) if row.workflow is not None else None,
        fields={field.key: field for field in given},
        components=components,
        model=compile_model(row.key, given, components),
    )


async def compile_stored(row: ContentTypeRow) -> CompiledType:
    """`compile_row`, in a thread for a type of many fields: a thousand of them take a second."""
    if len(json.dumps(row.definitions)) <= LARGE_BYTES:
        return compile_row(row)
    return await asyncio.to_thread(compile_row, row)


def check_defaults(fields: Sequence[FieldDefinition]) -> None:
    """A default that the field itself would refuse is an error of the type, found now and not at the first item."""
    data, inner = compile_models("default", fields)
    keys = [field.key for field in fields]
    errors = [
        FieldError(f"/fields/{keys.index(key)}/default", "invalid_default", _UNACCEPTABLE.format(key=key))
        for key in _wrong_defaults(data, fields)
    ]
    errors += [
        FieldError("/fields", "invalid_default", _UNACCEPTABLE.format(key=f"{component.key}.{key}"))
        for component in all_components(fields)
        for key in _wrong_defaults(inner[component.key], component.fields)
    ]
    if errors:
        raise InvalidError(errors=errors)


_UNACCEPTABLE = "The field {key} would not accept its default."


def _wrong_defaults(model: type[BaseModel], fields: Sequence[FieldDefinition]) -> list[str]:
    """Keys of fields whose default is refused: nothing is given, so that all of them are tried."""
    try:
        model.model_validate({})
    except ValidationError as error:
        # What is wrong with a default is told under the attribute's name, and not under its alias.
        aliases = {name: about.alias for name, about in model.model_fields.items()}
        places = [str(found["loc"][0]) for found in error.errors(include_url=False, include_input=False)]
        wrong = {aliases.get(place, place) for place in places}
        return [field.key for field in fields if field.default is not None and field.key in wrong]
    return []


def check_new(fields: Sequence[FieldDefinition]) -> None:
    """The same, and no `renamed_from`: outside a plan there is nothing that a field was called before."""
    renamed = sorted(field.key for field in all_fields(fields) if field.renamed_from is not None)
    if renamed:
        message = f"renamed_from belongs to a plan: {', '.join(renamed)}."
        raise InvalidError(errors=[FieldError("/fields", "renamed_from", message)])
    check_defaults(fields)

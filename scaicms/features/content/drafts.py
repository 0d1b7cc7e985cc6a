"""Checking a draft: its fields, its relations, its unique values, its slug."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from scaicms.features.content import repository
from scaicms.features.content.access import Sees
from scaicms.features.content.errors import NotUniqueError, SlugTakenError
from scaicms.features.content.records import Item
from scaicms.features.content.schemas import UnpublishedTarget
from scaicms.features.content_types.schemas import FieldDefinition
from scaicms.features.content_types.service import CompiledType
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.schemas import field_errors
from scaicms.kit.slugs import slugify

SLUG_CANDIDATES = 50


def validate_data(content_type: CompiledType, data: dict[str, Any]) -> dict[str, Any]:
    """`data` as it is stored: checked, defaults filled in, nulls left out."""
    try:
        model = content_type.model.model_validate(data)
    except ValidationError as error:
        raise InvalidError("The data does not fit the content type.", errors=field_errors(error, "/data")) from None
    return model.model_dump(by_alias=True, exclude_none=True)


def references(item: Item) -> list[tuple[FieldDefinition, UUID]]:
    """Every relation value of the draft with its field."""
    found: list[tuple[FieldDefinition, UUID]] = []
    for field in item.content_type.relations:
        value = item.data.get(field.key)
        values = value if isinstance(value, list) else [value] if value is not None else []
        found.extend((field, UUID(target)) for target in values)
    return found


async def check_relations(
    item: Item, *, sees: Sees | None = None, kept: Collection[UUID] = ()
) -> list[UnpublishedTarget]:
    """Refuse targets that do not exist on this site or are of another type; say which are not published.

    A target that the caller does not see does not exist either, unless it was there before (`kept`).
    """
    wanted = references(item)
    if not wanted:
        return []
    known = await repository.existing_targets(item.site_id, [target for _, target in wanted])
    if sees is not None:
        known = {target: about for target, about in known.items() if target in kept or sees(about)}
    errors, unpublished = [], []
    for field, target in wanted:
        about = known.get(target)
        if (about is None or about.type_key != field.target) and target != item.id:
            message = f"There is no {field.target} with the id {target} on this site."
            errors.append(FieldError(f"/data/{field.key}", "unknown_target", message))
        elif about is None or not about.published:
            unpublished.append(UnpublishedTarget(field=field.key, id=target))
    if errors:
        raise InvalidError("The data points to items that cannot be its targets.", errors=errors)
    return unpublished


async def check_unique(item: Item) -> None:
    """Refuse values that another item of the type has in a unique field, also under concurrency."""
    for key in item.content_type.unique_keys:
        if key not in item.data:
            continue
        await repository.lock_name("unique", item.content_type.id, item.locale, key, item.data[key])
        if await repository.value_taken(item, key):
            wrong = FieldError(f"/data/{key}", "not_unique", "Another item has this value.")
            raise NotUniqueError(errors=[wrong])


async def claim_slug(content_type: CompiledType, wanted: str, *, item_id: UUID | None = None) -> str:
    """`wanted`, held for this transaction.

    Raises:
        SlugTakenError: another item than `item_id` has it.
    """
    await _lock_slug(content_type, wanted)
    if await repository.taken_slugs(content_type.site_id, content_type.id, [wanted], but=item_id):
        raise SlugTakenError(f"Another {content_type.key} has the slug {wanted}.")
    return wanted


async def make_slug(content_type: CompiledType, data: dict[str, Any]) -> str:
    """A slug from the title, numbered until it is free."""
    base = suggest_slug(content_type, data)
    await _lock_slug(content_type, base)
    candidates = [base, *(f"{base}-{number}" for number in range(2, SLUG_CANDIDATES))]
    taken = await repository.taken_slugs(content_type.site_id, content_type.id, candidates)
    free = next((candidate for candidate in candidates if candidate not in taken), None)
    if free is None:
        raise SlugTakenError(f"{base} and its numbered variants are taken; give a slug.")
    return free


def suggest_slug(content_type: CompiledType, data: dict[str, Any]) -> str:
    """A slug from the item's title, else the type's key."""
    title = data.get(content_type.title_key) if content_type.title_key is not None else None
    return (slugify(title)[:190].strip("-") if isinstance(title, str) else "") or content_type.key.replace("_", "-")


async def _lock_slug(content_type: CompiledType, slug: str) -> None:
    await repository.lock_name("slug", content_type.id, slug)

"""Checking a draft: its fields, its relations, its unique values, its slug."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from scaicms.features.assets.service import known_assets
from scaicms.features.content import repository
from scaicms.features.content.access import Sight
from scaicms.features.content.errors import NotUniqueError, SingleExistsError, SlugTakenError
from scaicms.features.content.records import Item
from scaicms.features.content.schemas import UnpublishedTarget
from scaicms.features.content_types.service import CompiledType, Leaf
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.slugs import slugify

SLUG_CANDIDATES = 50


def references(item: Item) -> list[tuple[Leaf, UUID]]:
    """Every id in a relation or an asset field of the draft, those in components included, with where it stands."""
    if not item.content_type.has_relations:
        return []
    return [(leaf, one.target) for leaf in item.content_type.leaves(item.data) for one in leaf.pointers]


async def check_relations(
    item: Item, *, sees: Sight | None = None, kept: Collection[tuple[str, UUID]] = ()
) -> list[UnpublishedTarget]:
    """Refuse targets that do not exist on this site or are of another type; say which are not published, or are assets
    that are gone. The assets stay until the transaction ends.

    A target that the caller does not see does not exist either, unless it was there before (`kept`). What was there
    before and has been deleted since is no fault of who saves something else.
    """
    errors: list[FieldError] = []
    unpublished: list[UnpublishedTarget] = []
    wanted = references(item)
    there = [(leaf, target) for leaf, target in wanted if (leaf.top, target) in kept]
    new = [(leaf, target) for leaf, target in wanted if (leaf.top, target) not in kept]
    for part, known in ((there, {target for _, target in there}), (new, set[UUID]())):
        for check, of_items in ((_check_items, True), (_check_assets, False)):
            found = await check(item, [one for one in part if bool(one[0].field.target) == of_items], sees, known)
            errors += found[0]
            unpublished += found[1]
    if errors:
        raise InvalidError("The data points to what cannot be its targets.", errors=errors)
    return unpublished


Found = tuple[list[FieldError], list[UnpublishedTarget]]


async def _check_assets(
    item: Item, wanted: Sequence[tuple[Leaf, UUID]], sees: Sight | None, kept: Collection[UUID]
) -> Found:
    if not wanted:
        return [], []
    known = await known_assets(item.site_id, [target for _, target in wanted], hold=True)
    errors, gone = [], []
    for leaf, target in wanted:
        seen = target in kept or sees is None or sees.assets
        if target not in known and target in kept:
            gone.append(UnpublishedTarget(field=leaf.top, id=target))
        elif target not in known or not seen:
            message = f"There is no asset with the id {target} on this site."
            errors.append(FieldError(f"/data{leaf.pointer}", "unknown_asset", message))
        elif target not in kept and (wrong := refusal(leaf, known[target])):
            errors.append(FieldError(f"/data{leaf.pointer}", *wrong))
    return errors, gone


def refusal(leaf: Leaf, content_type: str | None) -> tuple[str, str] | None:
    """Why a field does not take an asset of this type, if it does not."""
    if leaf.field.accept is None:
        return None
    if content_type is None:
        return "asset_processing", "It is not known yet what this asset is; try again when it has been read."
    if leaf.field.accepts(content_type):
        return None
    return "not_accepted", f"This field takes {', '.join(leaf.field.accept)}, not {content_type}."


async def _check_items(
    item: Item, wanted: Sequence[tuple[Leaf, UUID]], sees: Sight | None, kept: Collection[UUID]
) -> Found:
    if not wanted:
        return [], []
    known = await repository.existing_targets(item.site_id, [target for _, target in wanted])
    if sees is not None and sees.items is not None:
        known = {target: about for target, about in known.items() if target in kept or sees.items(about)}
    errors, unpublished = [], []
    for leaf, target in wanted:
        about = known.get(target)
        itself = target == item.id and leaf.field.target == item.content_type.key
        gone = about is None and target in kept
        if (about is None or about.type_key != leaf.field.target) and not itself and not gone:
            message = f"There is no {leaf.field.target} with the id {target} on this site."
            errors.append(FieldError(f"/data{leaf.pointer}", "unknown_target", message))
        elif about is None or not about.published:
            unpublished.append(UnpublishedTarget(field=leaf.top, id=target))
    return errors, unpublished


def may_stay(item: Item, old: Item, *, hidden: Collection[str], named: Collection[str]) -> set[tuple[str, UUID]]:
    """Fields of the new draft and their targets that were there before: in the same field, or in one that the caller
    reads. What was in a field that the caller names and may not read (`hidden`) does not count: it would tell a right
    guess from a wrong one."""
    before = references(old)
    seen = {target for leaf, target in before if leaf.top not in hidden}
    own = {(leaf.top, target) for leaf, target in before if leaf.top not in hidden or leaf.top not in named}
    return own | {(leaf.top, target) for leaf, target in references(item) if target in seen}


async def check_changed(item: Item, *, sees: Sight | None, kept: Collection[tuple[str, UUID]]) -> None:
    """Check the relations and unique values of a changed draft; `kept` as `may_stay` gives it."""
    await check_relations(item, sees=sees, kept=kept)
    await check_unique(item)


async def check_unique(item: Item) -> None:
    """Refuse values that another item of the type has in a unique field, also under concurrency: in the same locale
    where each has its own, else in any."""
    for key in item.content_type.unique_keys:
        if key not in item.data:
            continue
        locale = item.locale if key in item.content_type.localized_keys else None
        await repository.lock_name("unique", item.content_type.id, locale or "*", key, item.data[key])
        if await repository.value_taken(item, key, locale):
            wrong = FieldError(f"/data/{key}", "not_unique", "Another item has this value.")
            raise NotUniqueError(errors=[wrong])


async def claim_single(content_type: CompiledType) -> None:
    """Refuse a second item of a type that has one, also under concurrency."""
    if content_type.kind == "single":
        await repository.lock_name("single", content_type.id)
        if await repository.has_items(content_type.site_id, content_type.id):
            raise SingleExistsError


async def claim_slug(content_type: CompiledType, wanted: str, *, item_id: UUID | None = None) -> str:
    """`wanted`, held for this transaction.

    Raises:
        SlugTakenError: another item than `item_id` has it.
    """
    if await repository.claim_slugs(content_type.site_id, content_type.id, [wanted], but=item_id):
        raise SlugTakenError(f"Another {content_type.key} has the slug {wanted}.")
    return wanted


async def new_slug(content_type: CompiledType, wanted: str | None, data: dict[str, Any]) -> str:
    """The slug of a new item: the wanted one, else one made of its data; nobody else takes it."""
    return await make_slug(content_type, data) if wanted is None else await claim_slug(content_type, wanted)


async def make_slug(content_type: CompiledType, data: dict[str, Any]) -> str:
    """A slug from the title, numbered until it is free."""
    return await free_slug(content_type, suggest_slug(content_type, data))


async def free_slug(content_type: CompiledType, base: str) -> str:
    """A slug, numbered until it is free."""
    base = base[:190].strip("-")
    candidates = [base, *(f"{base}-{number}" for number in range(2, SLUG_CANDIDATES))]
    taken = await repository.claim_slugs(content_type.site_id, content_type.id, candidates)
    free = next((candidate for candidate in candidates if candidate not in taken), None)
    if free is None:
        raise SlugTakenError(f"{base} and its numbered variants are taken; give a slug.")
    return free


def suggest_slug(content_type: CompiledType, data: dict[str, Any]) -> str:
    """A slug from the item's title, else the type's key."""
    title = data.get(content_type.title_key) if content_type.title_key is not None else None
    return (slugify(title)[:190].strip("-") if isinstance(title, str) else "") or content_type.key.replace("_", "-")

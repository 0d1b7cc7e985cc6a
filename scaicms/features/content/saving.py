"""The next version of a draft."""

from dataclasses import replace
from typing import Any

from scaicms.features.content import access, conflicts, drafts, permissions
from scaicms.features.content.conflicts import Change
from scaicms.features.content.records import Item
from scaicms.features.content_types.service import check_data, markdown_texts
from scaicms.kit.clock import utcnow
from scaicms.kit.principal import Principal


async def next_version(
    principal: Principal, old: Item, change: Change, expected_version: int | None, *, merge: bool
) -> tuple[Item, Change]:
    """What a change makes of a draft, not stored yet; and the change as it was settled with what is stored.

    Raises:
        VersionConflictError: it was made to another version than what is stored, and collides or is not to `merge`.
    """
    change = await conflicts.settle(principal, old, change, expected_version, merge=merge)
    item = replace(
        old,
        data=await _edited(principal, old, change),
        slug=await drafts.claim_slug(old.content_type, change.slug, item_id=old.id) if change.slug else old.slug,
        version=old.version + 1,
        updated_at=utcnow(),
        updated_by=principal.author_id,
    )
    hidden = access.hidden_fields(principal, old, old.data)
    kept = drafts.may_stay(item, old, hidden=hidden, named=change.data)
    await drafts.check_changed(item, sees=access.sight(principal, item.site_id), kept=kept)
    return item, change


def is_changed(principal: Principal, item: Item, old: Item, change: Change) -> bool:
    """Whether a save has changed what readers would see: data, slug or terms. Fields that the caller names and may not
    read count as changed, since what follows would tell whether their values were guessed right."""
    named = [*change.data, *(["taxonomies"] if change.taxonomies else [])]
    if access.hidden_fields(principal, old, named):
        return True
    terms = [{term.id for term in one.terms} for one in (item, old)]
    return item.data != old.data or item.slug != old.slug or terms[0] != terms[1]


async def _edited(principal: Principal, old: Item, change: Change) -> dict[str, Any]:
    """The data of the next version, checked, with nothing written that is out of the caller's reach."""
    writable, seen = access.require_item(principal, permissions.UPDATE, old), access.draft_view(principal, old)
    base = access.kept_fields(old.data, writable, seen) if change.replace else old.data
    data = change.data
    checked = await check_data(
        old.content_type, {**base, **data}, old.data, known=markdown_texts(old.content_type, old.data)
    )
    if not change.replace:
        # A default is for new items, not for what somebody took away; but there is nothing without what must be.
        must = {field.key for field in old.content_type.fields.values() if field.required}
        checked = {key: value for key, value in checked.items() if key in old.data or key in data or key in must}
    access.require_fields(writable, access.touched_fields(data, old.data, checked, seen))
    if change.slug is not None and change.slug != old.slug:
        access.require_fields(writable, ["slug"])
        access.require_shared(principal, old, ["slug"])
    return checked

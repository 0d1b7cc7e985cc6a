"""When somebody else saved first: what collides, and what can be merged all the same."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from scaicms.features.content import access, repository
from scaicms.features.content.access import View
from scaicms.features.content.errors import VersionConflictError
from scaicms.features.content.merging import Merger
from scaicms.features.content.permissions import UPDATE
from scaicms.features.content.records import Item, Revision
from scaicms.features.content_types.service import validate_data
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.principal import Principal


class Change(NamedTuple):
    """What a save is about: `data` laid over the draft (null removes) or, with `replace`, in its place."""

    data: dict[str, Any]
    slug: str | None = None
    taxonomies: Mapping[str, Any] | None = None
    replace: bool = False


async def settle(principal: Principal, old: Item, change: Change, version: int | None, *, merge: bool) -> Change:
    """The change, which was made to `version` (None: to whatever there is), as one to what is stored now.

    Raises:
        VersionConflictError: fields collide, or they are not to be merged (`merge`).
    """
    if version in (None, old.version):
        return change
    base = await repository.revision(old.id, old.locale, version)
    writable, seen = access.require_item(principal, UPDATE, old), access.draft_view(principal, old)
    settled, collisions = await _merged(old, base, change, writable, seen or access.NOTHING)
    settled, beside = _merged_beside(old, base, settled)
    collisions += beside
    if collisions or not merge:
        raise _conflict(principal, old, change, version, collisions, is_known=base is not None)
    return settled


async def _merged(
    old: Item, base: Revision | None, change: Change, writable: View, seen: View
) -> tuple[Change, list[str]]:
    """The change with merged data, and pointers to fields that collide."""
    hidden = {key for key in old.content_type.fields if not (writable.shows(key) and seen.shows(key))}
    sent = await _as_stored(old, change, hidden)
    keys = set(change.data) if not change.replace else {*old.content_type.fields} - (hidden - set(change.data))
    # Of a field that the caller may not read, even that it did not change would tell something.
    unread = [f"/data/{key}" for key in change.data if not seen.shows(key)]
    if base is None or sent is None:
        sent = sent or change.data
        changed = sorted(key for key in keys if sent.get(key) != old.data.get(key) and seen.shows(key))
        return change, unread + [f"/data/{key}" for key in changed]
    merger = Merger(old.content_type)
    merged = merger.merge(base.data, old.data, sent, {key for key in keys if seen.shows(key)})
    data = merged if change.replace else {key: merged.get(key) for key in change.data}
    return change._replace(data=data), unread + merger.collisions


async def _as_stored(old: Item, change: Change, hidden: set[str]) -> Mapping[str, Any] | None:
    """What was sent in the form in which it would be stored; None where it does not fit."""
    kept = {key: value for key, value in old.data.items() if key in hidden} if change.replace else old.data
    try:
        return await validate_data(old.content_type, {**kept, **change.data}, old.data)
    except InvalidError:
        return None


def _merged_beside(old: Item, base: Revision | None, change: Change) -> tuple[Change, list[str]]:
    """The same for what stands beside the data. Terms are one field, whatever taxonomies they are of."""
    collisions = []
    if change.slug is not None and base is not None and change.slug == base.slug:
        change = change._replace(slug=None)
    if change.slug not in (None, old.slug) and (base is None or old.slug != base.slug):
        collisions.append("/slug")
    terms = sorted(term.id for term in old.terms)
    if change.taxonomies is not None and (base is None or terms != sorted(base.terms)):
        collisions.append("/taxonomies")
    return change, collisions


def _conflict(
    principal: Principal, old: Item, change: Change, version: int, collisions: list[str], *, is_known: bool
) -> VersionConflictError:
    """Both versions, as far as the caller may read what is stored, and where they collide."""
    seen = access.draft_view(principal, old) or access.NOTHING
    hint = "Fields collide." if collisions else "No field collides: send it again with merge=true."
    sent: dict[str, Any] = {"version": version, "data": change.data, "slug": change.slug}
    current = {
        "version": old.version,
        "data": seen.project(old.data),
        "slug": old.slug,
        "updated_at": old.updated_at,
        "updated_by": old.updated_by,
    }
    conflict = {"current": current, "sent": sent, "base_known": is_known, "mergeable": not collisions}
    return VersionConflictError(
        f"The item is at version {old.version}, not {version}. {hint}",
        errors=[FieldError(place, "collides", "Somebody else has changed this too.") for place in collisions],
        headers={"ETag": old.etag},
        extra={"current_version": old.version, "conflict": conflict},
    )

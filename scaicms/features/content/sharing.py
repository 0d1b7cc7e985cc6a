"""What the locales of an item share: fields that are not `localized` have one value, whichever locale is written."""

from collections.abc import Collection, Sequence

from scaicms.features.content import access, links, repository, translation_repository
from scaicms.features.content.records import Item
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


async def update_draft(principal: Principal, site: Site, item: Item, old: Item, given: Collection[str]) -> None:
    """Store the next version of a draft, and what it shares with other locales in theirs."""
    await repository.update_draft(item)
    await spread(principal, site, item, old, given)


async def spread(principal: Principal, site: Site, item: Item, old: Item, given: Collection[str]) -> None:
    """After a save that named the fields `given`: bring what has changed of shared ones into the item's other locales,
    as far as the caller may write there, and note when localized ones were written.

    Raises:
        FieldForbiddenError: shared fields have changed, or the caller named some that they may not read, and one of the
            locales is out of the caller's reach.
    """
    if not item.other_locales:
        return
    own, before = item.content_type.localized_keys, old.data
    # Before anything is compared: the answer would tell whether a hidden value was guessed right.
    access.require_shared(
        principal, item, [key for key in access.hidden_fields(principal, old, given) if key not in own]
    )
    changed = sorted(key for key in item.data.keys() | before.keys() if item.data.get(key) != before.get(key))
    shared = [key for key in changed if key not in own]
    if shared:
        # What a default has filled in is nobody's change.
        access.require_shared(principal, item, [key for key in shared if key in given or key not in item.data])
        await translation_repository.share(item, shared)
    await _stamp(site, item, [key for key in changed if key in own], [key for key in given if key in own])


async def _stamp(site: Site, item: Item, changed: Sequence[str], given: Sequence[str]) -> None:
    """Changed fields are new; those that were looked at again and left as they are, while what they are translated from
    has changed, are settled."""
    if not given and not changed:
        return
    stamps = await translation_repository.stamps_of(item.id)
    mine, sources = stamps.get(item.locale, {}), site.chain(item.locale)[1:]
    now = 1 + max((step for steps in stamps.values() for step in steps.values()), default=0)
    behind = [
        key for key in given if any(stamps[one].get(key, 0) > mine.get(key, 0) for one in sources if one in stamps)
    ]
    if changed or behind:
        await translation_repository.put_stamps(item, dict.fromkeys([*changed, *behind], now))


async def keep_references(item: Item) -> None:
    """Note what the item points to, in whatever locale."""
    if not item.content_type.has_relations:
        return
    found = links.found(item.content_type, item.data)
    if item.other_locales:
        for data in await translation_repository.data_elsewhere(item):
            found += links.found(item.content_type, data)
    await repository.replace_references(item, list(dict.fromkeys(found)))

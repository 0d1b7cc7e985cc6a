"""What stands in for what a locale lacks: fields of published documents, taken from the item's other locales.

A document holds all that it shows, so that reading costs nothing more. What it has taken is named in its
`fallback_fields`, and made anew by a job when another locale of the item is published or taken out of delivery.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.content import links, permissions, render, repository, translation_repository
from scaicms.features.content.events import ContentRefreshed
from scaicms.features.content.jobs import REFRESH_LOCALES, RefreshLocalesPayload
from scaicms.features.content.records import Item
from scaicms.features.content_types.service import CompiledType, ContentTypeService, republish_data
from scaicms.infra import db
from scaicms.infra.events import record_many
from scaicms.infra.jobs import enqueue
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site
from scaicms.kit.turns import in_turns

BATCH = 50

Data = Mapping[str, Any]
Checkpoint = Callable[[dict[str, str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document: what goes out, its validator, and what is filtered by."""

    body: bytes
    etag: str
    data: dict[str, Any]


def fill(
    content_type: CompiledType, chain: Sequence[str], own: Data, published: Mapping[str, Data]
) -> tuple[dict[str, Any], dict[str, str]]:
    """A locale's public data with the localized fields that it lacks, and from which locale each was taken.

    `published` is the own data of the item's documents by locale. A value that is empty is a value: it stays.
    """
    filled, taken = dict(own), {}
    for key in sorted(content_type.localized_keys - own.keys()):
        source = next((one for one in chain if key in published.get(one, {})), None)
        if source is not None:
            filled[key], taken[key] = published[source][key], source
    return filled, taken


async def rendered(site: Site, item: Item, published_at: datetime) -> Rendered:
    """The document of a draft that is about to be published."""
    data = render.public_data(item)
    if not item.other_locales:
        return Rendered(*await render.document(item, data, published_at), data)
    others = [row for row in await translation_repository.documents(item.id) if row["locale"] != item.locale]
    published = {row["locale"]: _own(row) async for row in in_turns(others)}
    data, taken = fill(item.content_type, site.chain(item.locale)[1:], data, published)
    locales = sorted({item.locale, *published})
    made = await render.document(item, data, published_at, locales=locales, fallback_fields=taken)
    return Rendered(*made, data)


async def ask_for_refresh(item: Item) -> list[UUID]:
    """Have the item's other documents rendered anew, if it may have any."""
    if not item.other_locales:
        return []
    payload = RefreshLocalesPayload(item_id=item.id)
    return [await enqueue(REFRESH_LOCALES.request(payload, site_id=item.site_id, dedupe_key=f"locales:{item.id}"))]


def _own(row: Record) -> Data:
    """What a document has of its own."""
    taken = json.loads(row["body"]).get("fallback_fields", ())
    return {key: value for key, value in json.loads(row["data"]).items() if key not in taken}


class LocaleRefreshService(Service):
    """Documents keep what is their own: only what they show of the item's other locales changes."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._types = services.get(ContentTypeService)

    async def batches(
        self, principal: Principal, site: Site, *, resume: dict[str, str] | None, checkpoint: Checkpoint
    ) -> AsyncIterator[int]:
        """The same for all items of a site; gives how many documents each batch has changed. `checkpoint` runs in a
        transaction after each batch, with what `resume` takes."""
        after = UUID(resume["after"]) if resume else UUID(int=0)
        while found := await translation_repository.published_in_several(site.id, after=after, limit=BATCH):
            # One item a transaction: its editors wait for no other.
            changed = sum([await self.refresh(principal, site, item_id) for item_id in found])
            after = found[-1]
            async with db.transaction():
                await checkpoint({"after": str(after)})
            yield changed

    async def refresh(self, principal: Principal, site: Site, item_id: UUID) -> int:
        """Bring all documents of an item in step with each other; how many have changed. Idempotent."""
        principal.require(permissions.PUBLISH.code, site.id)
        async with db.transaction():
            held = await repository.hold_type_of(site.id, item_id)
            if held is None:
                return 0
            content_type = await self._types.at_version(site.id, held["key"], held["version"])
            rows = await translation_repository.documents(item_id, hold=True)
            published = {row["locale"]: _own(row) async for row in in_turns(rows)}
            facts = []
            async for row in in_turns(rows):
                chain = site.chain(row["locale"])[1:]
                data, taken = fill(content_type, chain, published[row["locale"]], published)
                made = render.with_locales(row, await republish_data(content_type, data), list(published), taken)
                if made is None:
                    continue
                await translation_repository.put_rendering(item_id, row["locale"], data, *made)
                await links.keep(content_type, item_id, row["locale"], row["version"], data, made[0])
                facts.append(
                    ContentRefreshed(
                        site_id=site.id,
                        aggregate_id=item_id,
                        content_type=content_type.key,
                        slug=row["slug"],
                        locale=row["locale"],
                        item_version=row["version"],
                    )
                )
            await record_many(facts, actor=principal)
            return len(facts)

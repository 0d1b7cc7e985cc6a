"""Relations of published documents, and those of their targets that are not published; assets, and those that are gone.

A document names these under `unpublished`, as long as they are not. What it says is made when it is published, and made
anew by a worker when a target comes or goes. That no change is missed:

- Who publishes a document keeps the documents of its targets from going until it commits.
- Who publishes what was not published holds its name (`come`) before asking whether anything points to it.
- Who points to an asset keeps it from being deleted (`drafts.check_relations`).
- Who finds a target unpublished asks for a job, which waits for those who hold its name.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from scaicms.features.content import link_repository, render, repository
from scaicms.features.content.jobs import HEAL_LINKS, LinksPayload
from scaicms.features.content.records import Item, Link
from scaicms.features.content_types.service import CompiledType
from scaicms.infra.jobs import enqueue


async def before_publishing(item: Item, data: Mapping[str, Any]) -> None:
    """Take the documents of targets whose ids are lower before the item's own: two that point at each other, published
    anew under new slugs, would else wait for each other."""
    if item.published_version is None or not item.content_type.has_relations:
        return
    if lower := [link.target for link in found(item.content_type, data) if not link.asset and link.target < item.id]:
        await link_repository.keep_published(lower)


async def published(item: Item, data: Mapping[str, Any], body: bytes) -> list[UUID]:
    """Remember what the document of an item, just published with this public data, points to; the jobs that follow."""
    jobs = await keep(item.content_type, item.id, item.locale, item.version, data, body)
    if item.published_version is None:
        jobs += await come_or_gone(item)
    return list(dict.fromkeys(jobs))


async def keep(
    content_type: CompiledType, item_id: UUID, locale: str, version: int, data: Mapping[str, Any], body: bytes
) -> list[UUID]:
    """The same for any document that has been made anew."""
    if not content_type.has_relations:
        return []
    links = found(content_type, data)
    await link_repository.put(item_id, locale, links)
    await link_repository.keep_published([link.target for link in links if not link.asset])
    pending = await link_repository.pending([(item_id, locale)])
    made = render.with_pending(body, version, pending.get((item_id, locale), ()))
    if made is not None:
        await repository.put_body(item_id, locale, *made)
    return [await _heal(content_type.site_id, item_id)] if pending else []


def found(content_type: CompiledType, data: Mapping[str, Any]) -> list[Link]:
    """What data points to, each once."""
    return list(dict.fromkeys(Link(leaf.top, *one) for leaf in content_type.leaves(data) for one in leaf.pointers))


async def come_or_gone(item: Item) -> list[UUID]:
    """The jobs that follow when an item is published or unpublished, if anything points to it."""
    return [await _heal(item.site_id, item.id)] if await link_repository.hold(item.id) else []


async def _heal(site_id: UUID, item_id: UUID) -> UUID:
    payload = LinksPayload(item_id=item_id)
    return await enqueue(HEAL_LINKS.request(payload, site_id=site_id, dedupe_key=f"links:{item_id}"))

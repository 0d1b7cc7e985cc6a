"""Rendering published documents anew: when a term that they show is renamed, merged or deleted, and when what they
point to is published or unpublished.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from uuid import UUID

from asyncpg import Record

from scaicms.features.content import link_repository, links, permissions, render, repository
from scaicms.features.content.events import ContentRefreshed
from scaicms.features.content_types.service import ContentTypeService
from scaicms.features.taxonomies.service import Showing, TermLinks
from scaicms.infra import db
from scaicms.infra.events import record_many
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

BATCH = 50

Checkpoint = Callable[[dict[str, int]], Awaitable[None]]
Find = Callable[[int], Awaitable[Sequence[Showing]]]
"""The next documents after one of them, by its `id`."""
Render = Callable[[Record], tuple[bytes, str] | None]
Prepare = Callable[[Sequence[Showing]], Awaitable[Render]]
"""What renders these documents, which are held; None where nothing changes."""


class RefreshService(Service):
    """Documents keep what their drafts are: only what they show of others changes."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._terms = services.get(TermLinks)
        self._types = services.get(ContentTypeService)

    async def batches(
        self,
        principal: Principal,
        site: Site,
        term_id: UUID | None,
        *,
        resume: dict[str, int] | None,
        checkpoint: Checkpoint,
    ) -> AsyncIterator[int]:
        """Render what shows the term, or for None what shows terms that are gone; gives how many documents each batch
        has changed. `checkpoint` runs in the transaction of each batch, with what `resume` takes.
        """

        async def find(after: int) -> Sequence[Showing]:
            return await self._terms.showing(site, term_id, after=after, limit=BATCH)

        async def prepare(documents: Sequence[Showing]) -> Render:
            terms = await self._terms.of_documents(site, documents)
            return lambda row: render.with_terms(
                row["body"], row["version"], terms.get((row["item_id"], row["locale"]), ())
            )

        async for changed in _walk(principal, site, find, prepare, resume=resume, checkpoint=checkpoint):
            yield changed

    async def link_batches(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        *,
        resume: dict[str, int] | None,
        checkpoint: Checkpoint,
    ) -> AsyncIterator[int]:
        """The same for what the documents of an item, and those that point to it, say of their unpublished targets."""

        async def find(after: int) -> Sequence[Showing]:
            return await link_repository.pointing(item_id, after=after, limit=BATCH)

        if resume is None:
            async with db.transaction():
                await link_repository.wait_for_pending(item_id)
            for document in await link_repository.own_documents(item_id):
                async with db.transaction():
                    _, changed = await _refresh(principal, site, [document], _pending, wait=True)
                yield changed
        async for changed in _walk(principal, site, find, _pending, resume=resume, checkpoint=checkpoint):
            yield changed

    async def type_batches(
        self,
        principal: Principal,
        site: Site,
        type_id: UUID,
        *,
        resume: dict[str, int] | None,
        checkpoint: Checkpoint,
    ) -> AsyncIterator[int]:
        """The same for all documents of a type, whose fields have changed: what they point to is found anew."""

        async def find(after: int) -> Sequence[Showing]:
            return await link_repository.of_type(type_id, after=after, limit=BATCH)

        async def prepare(documents: Sequence[Showing]) -> Render:
            content_type = await self._types.held(type_id)
            for row in await link_repository.data_of(documents):
                points_to = links.found(content_type, json.loads(row["data"]))
                await link_repository.put(row["item_id"], row["locale"], points_to)
            return await _pending(documents)

        async for changed in _walk(principal, site, find, prepare, resume=resume, checkpoint=checkpoint):
            yield changed


async def _pending(documents: Sequence[Showing]) -> Render:
    """What makes documents name those of their targets that are not published."""
    pending = await link_repository.pending([(document.item_id, document.locale) for document in documents])
    return lambda row: render.with_pending(
        row["body"], row["version"], pending.get((row["item_id"], row["locale"]), ())
    )


async def _walk(
    principal: Principal,
    site: Site,
    find: Find,
    prepare: Prepare,
    *,
    resume: dict[str, int] | None,
    checkpoint: Checkpoint,
) -> AsyncIterator[int]:
    principal.require(permissions.PUBLISH.code, site.id)
    after = resume.get("after", 0) if resume else 0
    while found := await find(after):
        after = found[-1].id
        async with db.transaction():
            held, changed = await _refresh(principal, site, found, prepare, wait=False)
            await checkpoint({"after": after})
        # Whoever holds a document may hold more of them: waiting for one while holding others could be for ever.
        for document in found:
            if (document.item_id, document.locale) not in held:
                async with db.transaction():
                    changed += (await _refresh(principal, site, [document], prepare, wait=True))[1]
        yield changed


async def _refresh(
    principal: Principal, site: Site, documents: Sequence[Showing], prepare: Prepare, *, wait: bool
) -> tuple[set[tuple[UUID, str]], int]:
    """Which documents could be looked at, and how many of them have changed."""
    type_keys = await repository.hold_types(documents)
    found = await repository.hold_documents(documents, wait=wait)
    # What has come since the types were held is rendered with what is true now.
    rows = {(row["item_id"], row["locale"]): row for row in found if row["type_id"] in type_keys}
    made_of = await prepare([document for document in documents if (document.item_id, document.locale) in rows])
    facts = []
    for (item_id, locale), row in rows.items():
        await asyncio.sleep(0)  # each document may take a tenth of a second
        made = made_of(row)
        if made is None:
            continue
        await repository.put_body(item_id, locale, *made)
        facts.append(
            ContentRefreshed(
                site_id=site.id,
                aggregate_id=item_id,
                content_type=type_keys[row["type_id"]],
                slug=row["slug"],
                locale=locale,
                item_version=row["version"],
            )
        )
    await record_many(facts, actor=principal)
    return set(rows), len(facts)

"""Rendering published documents anew when a term that they show is renamed, merged or deleted."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from uuid import UUID

from scaicms.features.content import permissions, render, repository
from scaicms.features.content.events import ContentRefreshed
from scaicms.features.taxonomies.service import Showing, TermLinks
from scaicms.infra import db
from scaicms.infra.events import record_many
from scaicms.infra.services import Service, Services
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

BATCH = 50

Checkpoint = Callable[[dict[str, str]], Awaitable[None]]


class RefreshService(Service):
    """Documents keep what their drafts are: only what they show of terms changes."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._terms = services.get(TermLinks)

    async def batches(
        self,
        principal: Principal,
        site: Site,
        taxonomy_id: UUID,
        term_id: UUID | None,
        *,
        resume: dict[str, str] | None,
        checkpoint: Checkpoint,
    ) -> AsyncIterator[int]:
        """Render what shows the term, or for None terms of the taxonomy that are gone; gives how many documents each
        batch has changed. `checkpoint` runs in the transaction of each batch, with what `resume` takes.
        """
        principal.require(permissions.PUBLISH.code, site.id)
        after = Showing(UUID(resume["item_id"]), resume["locale"]) if resume else None
        while found := await self._terms.showing(taxonomy_id, term_id, after=after, limit=BATCH):
            after = found[-1]
            async with db.transaction():
                held, changed = await self._refresh(principal, site, found, wait=False)
                await checkpoint({"item_id": str(after.item_id), "locale": after.locale})
            # Whoever holds a document may hold more of them: waiting for one while holding others could be for ever.
            for document in sorted(set(found) - held):
                async with db.transaction():
                    changed += (await self._refresh(principal, site, [document], wait=True))[1]
            yield changed

    async def _refresh(
        self, principal: Principal, site: Site, documents: Sequence[Showing], *, wait: bool
    ) -> tuple[set[Showing], int]:
        """Which documents could be looked at, and how many of them have changed."""
        rows = await repository.hold_documents(documents, wait=wait)
        held = [Showing(row["item_id"], row["locale"]) for row in rows]
        terms = await self._terms.of_documents(site, held)
        facts = []
        for document, row in zip(held, rows, strict=True):
            made = render.with_terms(row["body"], row["version"], terms.get(document, ()))
            if made is not None:
                await repository.put_body(document, *made)
                facts.append(
                    ContentRefreshed(
                        site_id=site.id,
                        aggregate_id=document.item_id,
                        content_type=await repository.type_key(site.id, row["type_id"]),
                        slug=row["slug"],
                        locale=document.locale,
                        item_version=row["version"],
                    )
                )
        await record_many(facts, actor=principal)
        return set(held), len(facts)

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

Checkpoint = Callable[[dict[str, int]], Awaitable[None]]


class RefreshService(Service):
    """Documents keep what their drafts are: only what they show of terms changes."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._terms = services.get(TermLinks)

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
        principal.require(permissions.PUBLISH.code, site.id)
        after = resume.get("after", 0) if resume else 0
        while found := await self._terms.showing(site, term_id, after=after, limit=BATCH):
            after = found[-1].id
            async with db.transaction():
                held, changed = await self._refresh(principal, site, found, wait=False)
                await checkpoint({"after": after})
            # Whoever holds a document may hold more of them: waiting for one while holding others could be for ever.
            for document in found:
                if (document.item_id, document.locale) not in held:
                    async with db.transaction():
                        changed += (await self._refresh(principal, site, [document], wait=True))[1]
            yield changed

    async def _refresh(
        self, principal: Principal, site: Site, documents: Sequence[Showing], *, wait: bool
    ) -> tuple[set[tuple[UUID, str]], int]:
        """Which documents could be looked at, and how many of them have changed."""
        type_keys = await repository.hold_types(documents)
        found = await repository.hold_documents(documents, wait=wait)
        # What has come since the types were held is rendered with the names of now.
        rows = {(row["item_id"], row["locale"]): row for row in found if row["type_id"] in type_keys}
        held = [document for document in documents if (document.item_id, document.locale) in rows]
        terms = await self._terms.of_documents(site, held)
        facts = []
        for (item_id, locale), row in rows.items():
            made = render.with_terms(row["body"], row["version"], terms.get((item_id, locale), ()))
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

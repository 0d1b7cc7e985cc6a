"""Use cases of search: keeping the index and asking it."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from scaicms.features.content import permissions as content_permissions
from scaicms.features.content.service import DeliveryService, PublishedTexts
from scaicms.features.search.schemas import SearchQuery
from scaicms.infra.search import SearchDocument, SearchReach, SearchRequest, SearchRule
from scaicms.infra.search.postgres import PostgresSearch
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.locales import known_locale
from scaicms.kit.principal import Principal, Scope
from scaicms.kit.schemas import TotalRelation, relation_of
from scaicms.kit.sites import Site


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits as the JSON members that go out."""

    items: list[bytes]
    total: int
    relation: TotalRelation
    took_ms: float


class SearchService(Service):
    """The index of published content."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._texts = services.get(PublishedTexts)
        self._delivery = services.get(DeliveryService)
        self._backend = PostgresSearch(services.resources.reads, services.resources.searches)

    async def index_item(self, principal: Principal, site_id: UUID, item_id: UUID) -> None:
        """Make the index hold what is published of an item now; idempotent, safe against older runs.

        The lock orders runs about the same item: each reads what is published after the one before has committed.
        """
        await self._texts.lock_item(item_id)
        published = await self._texts.of_item(principal, site_id, item_id)
        documents = [
            SearchDocument(
                item_id=item_id,
                locale=text.locale,
                site_id=site_id,
                type_key=text.type_key,
                version=text.version,
                title=text.title,
                summary=text.summary,
                body=text.body,
                terms=text.terms,
            )
            for text in published
        ]
        await self._backend.replace(site_id, item_id, documents)

    async def index_type(
        self, principal: Principal, site_id: UUID, type_id: UUID, *, after: UUID | None, limit: int
    ) -> UUID | None:
        """The same for the next `limit` published items of a type; the last one's id, None when there are no more."""
        item_ids = await self._texts.item_ids(principal, site_id, type_id, after=after, limit=limit)
        for item_id in item_ids:
            await self.index_item(principal, site_id, item_id)
        return item_ids[-1] if len(item_ids) == limit else None

    async def search(self, principal: Principal, site: Site, query: SearchQuery) -> Found:
        """Published items of the site that match, best first."""
        principal.require(content_permissions.READ.code, site.id)
        started = time.perf_counter()
        locale = known_locale(site, query.locale)
        request = SearchRequest(
            site_id=site.id,
            locale=locale,
            words=query.q.replace("\0", " "),
            type_key=query.type,
            limit=query.page_size,
            offset=query.offset,
            highlight=query.highlight,
            reach=_reach(principal.scope(content_permissions.READ.code, site.id), locale),
            has_account=not principal.is_anonymous,
        )
        page = await self._backend.search(request)
        bodies = await self._delivery.by_ids(principal, site, [hit.item_id for hit in page.hits], locale)
        items = [_with_hit(bodies[h.item_id], h.score, h.highlights) for h in page.hits if h.item_id in bodies]
        relation = relation_of(is_lower_bound=page.is_lower_bound)
        return Found(items, page.total, relation, round((time.perf_counter() - started) * 1000, 2))


def _reach(scope: Scope | None, locale: str) -> SearchReach | None:
    """A narrowed reader finds nothing by words that they may not read."""
    if scope is None:
        return None
    near = [bound for bound in scope.bounds if bound.reaches(None, locale)]
    return SearchReach(
        tuple(SearchRule(bound.content_types, bound.fields, bound.own_only) for bound in near), scope.owner_id
    )


def _with_hit(body: bytes, score: float, highlights: dict[str, Any]) -> bytes:
    """The document with two members in front: it stays the bytes that were rendered at publish time."""
    return b"%s,%s" % (json.dumps({"score": score, "highlights": highlights})[:-1], body[1:])

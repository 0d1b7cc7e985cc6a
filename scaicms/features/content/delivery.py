"""The read path: published documents as bytes, one query an answer, nothing parsed and nothing built."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from scaicms.features.assets.permissions import READ as READ_ASSETS
from scaicms.features.content import access, including, past, permissions, render, term_filters
from scaicms.features.content.chains import Chain
from scaicms.features.content.current import TypeChangedError, require_current, steadily
from scaicms.features.content.documents import (
    BY_ID,
    BY_ID_IN,
    BY_ID_NOW,
    BY_IDS,
    BY_SLUG,
    BY_SLUG_IN,
    Document,
    body_of,
    first_seen_by,
    seen_by,
    statement,
)
from scaicms.features.content.filters import Filters
from scaicms.features.content.keeping import Kept, list_key
from scaicms.features.content.listing import compile_listing
from scaicms.features.content.locales import locales_asked
from scaicms.features.content.ordering import compile_sort
from scaicms.features.content.pages import Page, Pages, nothing
from scaicms.features.content.paths import Bound, Visible
from scaicms.features.content.projecting import WHOLE, Projection, Shape, project, projection
from scaicms.features.content.query_tree import EVERYTHING, Group
from scaicms.features.content.records import Item
from scaicms.features.content.schemas import ListItems
from scaicms.features.content.targets import Reading, Target, Targets
from scaicms.features.content_types.service import ContentTypeService
from scaicms.features.taxonomies.service import TermLinks
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.permissions import Permission
from scaicms.kit.principal import Principal, Scope
from scaicms.kit.sites import Site
from scaicms.kit.turns import in_turns

LARGE_BYTES = 4 * 1024 * 1024
"""Larger pages are put together in a thread."""


class DeliveryService(Service):
    """What readers get. `content:read` is checked here; drafts are for those who may read drafts."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._types = services.get(ContentTypeService)
        self._terms = services.get(TermLinks)
        self._reads = services.resources.reads
        self._pages = Pages(services.resources)
        self._kept = Kept(services.resources.notices, services.resources.settings.delivery_cache_bytes)

    async def by_id(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        locale: str | None = None,
        fallback: str | None = None,
        *,
        as_of: datetime | None = None,
        shape: Shape = WHOLE,
    ) -> Document:
        """The published document of an item, in the first of these locales that has one; what it was at a moment
        (`as_of`, UTC), for who may read drafts; of it, and beside it, what `shape` asks for."""
        scope = principal.scope(_needed(principal, site, as_of).code, site.id)
        chain = locales_asked(site, locale, fallback)
        reading = Reading(site, chain, scope, as_of, assets=_sees_assets(principal, site))
        read = steadily(self._types, site.id, lambda: self._by_id(item_id, reading, shape))
        if not reading.is_everybodys:
            return await read()
        key = ("id", item_id, chain, shape.fields, *reading.includes(shape.include))
        return await self._kept.read(site.id, key, read, len)

    async def _by_id(self, item_id: UUID, reading: Reading, shape: Shape) -> Document:
        chain, site_id, as_of = reading.locales, reading.site.id, reading.as_of
        if len(chain) == 1:
            sql = BY_ID_NOW if as_of is None and not shape.fields else statement(BY_ID, as_of, shape)
            found = seen_by(reading.scope, await self._reads.fetchrow(sql, item_id, chain[0], site_id))
        else:
            sql = statement(BY_ID_IN, as_of, shape)
            found = first_seen_by(reading.scope, await self._reads.fetch(sql, item_id, chain, site_id))
        return await self._shaped(found, shape, reading) if shape else found

    async def by_slug(
        self,
        principal: Principal,
        site: Site,
        type_key: str,
        slug: str,
        locale: str | None = None,
        fallback: str | None = None,
        *,
        as_of: datetime | None = None,
        shape: Shape = WHOLE,
    ) -> Document:
        """The same of the item that has this slug in one of these locales."""
        scope = principal.scope(_needed(principal, site, as_of).code, site.id)
        if scope is not None:
            access.require_known_type(principal, site.id, type_key)
        chain = locales_asked(site, locale, fallback)
        reading = Reading(site, chain, scope, as_of, assets=_sees_assets(principal, site))
        read = steadily(self._types, site.id, lambda: self._by_slug(type_key, slug, reading, shape))
        if not reading.is_everybodys:
            return await read()
        key = ("slug", type_key, slug, chain, shape.fields, *reading.includes(shape.include))
        return await self._kept.read(site.id, key, read, len)

    async def _by_slug(self, type_key: str, slug: str, reading: Reading, shape: Shape) -> Document:
        site_id, as_of = reading.site.id, reading.as_of
        content_type = await self._types.compiled(site_id, type_key)
        # Slugs of locales out of reach lead nowhere.
        chain = Chain.of(reading.scope, type_key, reading.locales).locales
        if len(chain) == 1:
            sql = statement(BY_SLUG, as_of, shape)
            found = seen_by(reading.scope, await self._reads.fetchrow(sql, site_id, content_type.id, chain[0], slug))
        else:
            sql = statement(BY_SLUG_IN, as_of, shape)
            found = first_seen_by(reading.scope, await self._reads.fetch(sql, site_id, content_type.id, chain, slug))
        return await self._shaped(found, shape, reading) if shape else found

    async def draft(
        self, principal: Principal, site: Site, item: Item, fallback: str | None = None, shape: Shape = WHOLE
    ) -> Document:
        """A draft that the caller may read, rendered; `shape` as for `by_id`."""
        found = Document(json.dumps(render.draft(item)), item.etag, item.content_type.version)
        if not shape:
            return found
        scope = principal.scope(permissions.READ.code, site.id)
        view = access.draft_view(principal, item) or access.NOTHING
        chain = locales_asked(site, item.locale, fallback)
        reading = Reading(site, chain, scope, drafts=True, assets=_sees_assets(principal, site))
        return await self._shaped(found, shape, reading, view)

    async def by_ids(
        self, principal: Principal, site: Site, item_ids: Sequence[UUID], locale: str
    ) -> dict[UUID, bytes]:
        """The published documents of these items in one query; what is not published or not readable is absent."""
        principal.require(permissions.READ.code, site.id)
        scope = principal.scope(permissions.READ.code, site.id)
        rows = await self._reads.fetch(BY_IDS, list(item_ids), locale, site.id)
        if scope is None:
            return {row["item_id"]: row["body"] for row in rows}
        bodies = [(row["item_id"], access.within(scope, row["body"])) async for row in in_turns(rows)]
        return {item_id: body for item_id, body in bodies if body is not None}

    async def page(self, principal: Principal, site: Site, query: ListItems, tree: Group = EVERYTHING) -> bytes:
        """A page of a list, as the JSON that goes out."""
        drafts = query.status != "published"
        scope = principal.scope(_needed(principal, site, query.as_of, drafts=drafts).code, site.id)
        if scope is not None:
            access.require_known_type(principal, site.id, query.type)
        asked = locales_asked(site, query.locale, query.fallback)
        published = principal.scope(permissions.READ.code, site.id) if drafts else scope
        assets, has_account = _sees_assets(principal, site), not principal.is_anonymous
        reading = Reading(site, asked, published, query.as_of, drafts, assets, has_account)
        read = steadily(self._types, site.id, lambda: self._compose(reading, scope, query, tree))
        # What the database guesses changes with nothing that it tells of.
        if not reading.is_everybodys or query.explain or query.count == "estimate":
            return await read()
        # More words are looked through for who has an account.
        key = (*list_key(query, tree, asked), query.q is not None and has_account, *reading.includes(query.include))
        return await self._kept.read(site.id, key, read, len)

    async def _compose(self, reading: Reading, scope: Scope | None, query: ListItems, tree: Group) -> bytes:
        """A page; `scope` is that of what is listed, be it drafts."""
        site, asked, drafts = reading.site, reading.locales, reading.drafts
        content_type = await self._types.compiled(site.id, query.type)
        chain = Chain.of(scope, query.type, asked)
        root = Target(content_type, Visible(drafts, chain.fields), chain)
        targets = Targets(self._types, reading.scope, site, asked, assets=reading.assets)
        levels = await including.plan(query.include, root, targets) if query.include else []
        wanted = projection(query.fields, root, including.by_path(levels))
        if not chain.locales:
            return nothing(query).around((), query)
        page = await self._select(reading, query, tree, root, targets, narrowed=scope is not None)
        if tree.members or query.sort or query.q or wanted.own:
            await require_current(self._reads, [content_type, *targets.types.values()])
        terms = await self._terms.of_items(site, [row["id"] for row in page.rows], asked[0]) if drafts else {}
        if scope is None and not drafts:
            found = {(row["item_id"], row["locale"]): row["body"] for row in page.rows}
        else:
            found = {
                (row["item_id"], row["locale"]): body
                async for row in in_turns(page.rows)
                if (body := body_of(row, content_type, scope, terms, drafts=drafts)) is not None
            }
        bodies: Sequence[bytes] = list(found.values())
        if wanted.own:
            bodies = [json.dumps(project(json.loads(body), wanted.own)) async for body in in_turns(bodies)]
        included = await self._included(list(found), levels, reading, wanted) if levels else None
        size = sum(map(len, bodies)) + (included.size if included is not None else 0)
        if size <= LARGE_BYTES:
            return page.around(bodies, query, included)
        # To copy a hundred megabytes takes a tenth of a second.
        return await asyncio.to_thread(page.around, bodies, query, included)

    async def _shaped(
        self, found: Document, shape: Shape, reading: Reading, view: access.View | None = None
    ) -> Document:
        about = json.loads(found.body)
        content_type = await self._types.compiled(reading.site.id, about["type"])
        if shape.fields and content_type.version != found.type_version:
            raise TypeChangedError
        created_by = UUID(about["created_by"]) if about["created_by"] is not None else None
        seen = view or access.view(reading.scope, about["type"], about["locale"], created_by) or access.NOTHING
        root = Target(content_type, Visible(reading.drafts, seen.fields))
        targets = Targets(self._types, reading.scope, reading.site, reading.locales, assets=reading.assets)
        levels = await including.plan(shape.include, root, targets) if shape.include else []
        wanted = projection(shape.fields, root, including.by_path(levels))
        body = json.dumps(project(about, wanted.own)) if wanted.own else found.body
        if levels:
            place = (UUID(about["id"]), about["locale"])
            body = including.beside(body, await self._included([place], levels, reading, wanted))
        return Document(body, render.etag_of(found.etag, body))

    async def _included(
        self,
        items: Sequence[including.Place],
        levels: Sequence[Sequence[including.Step]],
        reading: Reading,
        wanted: Projection,
    ) -> including.Included:
        included = await including.fetch(
            self._reads,
            reading.site,
            reading.locales,
            items,
            levels,
            cut=None if reading.scope is None else partial(access.within, reading.scope),
            documents=past.documents(reading.as_of),
            drafts=reading.drafts,
        )
        await included.project(wanted)
        return included

    def reads_type(self, principal: Principal, site: Site, type_key: str) -> bool:
        """Whether the caller reads anything published of a type, in the site's default locale."""
        scope = principal.scope(permissions.READ.code, site.id)
        readable = principal.may(permissions.READ.code, site.id)
        return readable and (scope is None or scope.at(type_key, site.default_locale) is not None)

    def may_sort_by(self, principal: Principal, site: Site, type_key: str, field: str) -> bool:
        """Whether the field is within reach in everything that the caller reads of the type."""
        scope = principal.scope(permissions.READ.code, site.id)
        reach = scope.at(type_key, site.default_locale) if scope is not None else None
        return scope is None or (reach is not None and Visible(False, reach.all_rows).reaches(field))

    async def _select(
        self, reading: Reading, query: ListItems, tree: Group, root: Target, targets: Targets, *, narrowed: bool
    ) -> Page:
        site, drafts = reading.site, root.visible.private
        terms = await term_filters.known(self._terms, site, tree, query.as_of)
        filters = Filters(root, targets, terms, Bound(1), drafts, past.documents(query.as_of))
        order = compile_sort(query.sort or ("-updated_at" if drafts else "-published_at"), root, drafts=drafts)
        listing = await compile_listing(filters, tree, order, query, site_id=site.id, has_account=reading.has_account)
        # Who reads a part learns no guess about the rest: theirs is counted.
        return await self._pages.read(self._reads, listing, query, estimates=not narrowed)


def _sees_assets(principal: Principal, site: Site) -> bool:
    return principal.may(READ_ASSETS.code, site.id)


def _needed(principal: Principal, site: Site, as_of: datetime | None, *, drafts: bool = False) -> Permission:
    """The permission that tells how far a reader's rights reach; raises where it is not held."""
    principal.require(permissions.READ.code, site.id)
    if as_of is None and not drafts:
        return permissions.READ
    principal.require(permissions.READ_DRAFTS.code, site.id)
    return permissions.READ_DRAFTS

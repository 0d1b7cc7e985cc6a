"""The read path: published documents as bytes, one query an answer, nothing parsed and nothing built."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from scaicms.features.content import access, past, permissions, render, repository, term_filters, workflow
from scaicms.features.content.chains import Chain, count_sql, page_sql
from scaicms.features.content.errors import FieldForbiddenError, ItemNotFoundError
from scaicms.features.content.filters import Bound, Visible, compile_filters, compile_sort
from scaicms.features.content.locales import known_locale, locales_asked
from scaicms.features.content.schemas import ListItems
from scaicms.features.content_types.service import CompiledType, ContentTypeService
from scaicms.features.taxonomies.service import ItemTerm, TermLinks
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.errors import BadRequestError
from scaicms.kit.permissions import Permission
from scaicms.kit.principal import Principal, Scope
from scaicms.kit.sites import Site

_BY_ID = "SELECT body, etag FROM {documents} d WHERE item_id = $1 AND locale = $2 AND site_id = $3"
_BY_ID_NOW = _BY_ID.format(documents="documents")
_BY_IDS = "SELECT item_id, body FROM documents WHERE item_id = ANY($1) AND locale = $2 AND site_id = $3"
_BY_ID_IN = """SELECT body, etag FROM {documents} d WHERE item_id = $1 AND locale = ANY($2) AND site_id = $3
    ORDER BY array_position($2::text[], locale::text)"""
_BY_SLUG = "SELECT body, etag FROM {documents} d WHERE site_id = $1 AND type_id = $2 AND locale = $3 AND slug = $4"
# The item may have had another slug when it was published in another locale: it is the same item.
_BY_SLUG_IN = """SELECT d.body, d.etag FROM {documents} d
    WHERE d.locale = ANY($3) AND d.item_id = ANY(ARRAY(
        SELECT s.item_id FROM {documents} s
        WHERE s.site_id = $1 AND s.type_id = $2 AND s.locale = ANY($3) AND s.slug = $4))
    ORDER BY array_position($3::text[], d.locale::text)"""

_DRAFTS = f"""(
    SELECT i.id AS item_id, i.id, i.site_id, i.type_id, i.stage, i.slug, i.created_at, i.created_by, e.locale,
           e.data, e.version, e.published_version, e.updated_at, e.updated_by, p.published_at,
           {repository.PUBLISH_AT} AS publish_at, {repository.UNPUBLISH_AT} AS unpublish_at,
           ARRAY(SELECT l.locale FROM entries l WHERE l.item_id = i.id ORDER BY l.locale) AS locales
    FROM items i JOIN entries e ON e.item_id = i.id LEFT JOIN documents p ON p.item_id = i.id AND p.locale = e.locale
    WHERE i.deleted_at IS NULL)"""

SELECTABLE = frozenset(
    [
        "id",
        "type",
        "slug",
        "locale",
        "locales",
        "status",
        "version",
        "taxonomies",
        "created_at",
        "created_by",
        "updated_at",
        "updated_by",
        "published_at",
        "publish_at",
        "unpublish_at",
        "fallback_fields",
        "unpublished",
        "stage",
        "data",
    ]
)


@dataclass(frozen=True, slots=True)
class Document:
    """A rendered item and the validator of these bytes."""

    body: bytes
    etag: str


class DeliveryService(Service):
    """What readers get. `content:read` is checked here; drafts are for those who may read drafts."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._types = services.get(ContentTypeService)
        self._terms = services.get(TermLinks)
        self._reads = services.resources.reads

    async def by_id(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        locale: str | None = None,
        fallback: str | None = None,
        *,
        as_of: datetime | None = None,
    ) -> Document:
        """The published document of an item, in the first of these locales that has one; what it was at a moment
        (`as_of`, UTC), for who may read drafts."""
        scope = principal.scope(_needed(principal, site, as_of).code, site.id)
        chain = locales_asked(site, locale, fallback)
        if len(chain) == 1:
            sql = _BY_ID_NOW if as_of is None else _BY_ID.format(documents=past.documents(as_of))
            return _seen(scope, await self._reads.fetchrow(sql, item_id, chain[0], site.id))
        sql = _BY_ID_IN.format(documents=past.documents(as_of))
        return _first_seen(scope, await self._reads.fetch(sql, item_id, chain, site.id))

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
    ) -> Document:
        """The same of the item that has this slug in one of these locales."""
        scope = principal.scope(_needed(principal, site, as_of).code, site.id)
        if scope is not None:
            access.require_known_type(principal, site.id, type_key)
        content_type = await self._types.compiled(site.id, type_key)
        chain = locales_asked(site, locale, fallback)
        source = past.documents(as_of)
        if len(chain) == 1:
            sql = _BY_SLUG.format(documents=source)
            return _seen(scope, await self._reads.fetchrow(sql, site.id, content_type.id, chain[0], slug))
        sql = _BY_SLUG_IN.format(documents=source)
        return _first_seen(scope, await self._reads.fetch(sql, site.id, content_type.id, chain, slug))

    async def by_ids(
        self, principal: Principal, site: Site, item_ids: Sequence[UUID], locale: str
    ) -> dict[UUID, bytes]:
        """The published documents of these items in one query; what is not published or not readable is absent."""
        principal.require(permissions.READ.code, site.id)
        scope = principal.scope(permissions.READ.code, site.id)
        rows = await self._reads.fetch(_BY_IDS, list(item_ids), locale, site.id)
        if scope is None:
            return {row["item_id"]: row["body"] for row in rows}
        bodies = ((row["item_id"], within(scope, row["body"])) for row in rows)
        return {item_id: body for item_id, body in bodies if body is not None}

    async def page(
        self, principal: Principal, site: Site, query: ListItems, filters: Sequence[tuple[str, str]]
    ) -> bytes:
        """A page of a list, as the JSON that goes out."""
        drafts = query.status != "published"
        permission = _needed(principal, site, query.as_of, drafts=drafts)
        scope = principal.scope(permission.code, site.id)
        if scope is not None:
            access.require_known_type(principal, site.id, query.type)
        content_type = await self._types.compiled(site.id, query.type)
        chain = Chain.of(scope, query.type, locales_asked(site, query.locale, query.fallback))
        visible = Visible(drafts, chain.fields)
        wanted = _wanted(query.fields, content_type, visible)
        if not chain.locales:
            return _join((), 0 if query.count == "exact" else None, query)
        rows, total = await self._select(site, content_type, query, filters, visible, chain)
        locale = known_locale(site, query.locale)
        terms = await self._terms.of_items(site, [row["id"] for row in rows], locale) if drafts else {}
        seen = (_body(row, content_type, scope, terms, drafts=drafts) for row in rows)
        bodies = [body for body in seen if body is not None]
        if wanted:
            bodies = [json.dumps(_project(json.loads(body), wanted)) for body in bodies]
        return _join(bodies, total, query)

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
        self,
        site: Site,
        content_type: CompiledType,
        query: ListItems,
        filters: Sequence[tuple[str, str]],
        visible: Visible,
        chain: Chain,
    ) -> tuple[list[asyncpg.Record], int | None]:
        drafts = visible.private
        source = _DRAFTS if drafts else past.documents(query.as_of)
        fixed = [site.id]
        bound = Bound(len(fixed))
        # The type in words: indexes of its fields are partial, and a plan for any argument could not use them.
        conditions = ["d.site_id = $1", f"d.type_id = '{content_type.id}'"]
        if query.status == "draft":
            conditions.append("d.published_version IS DISTINCT FROM d.version")
        if query.stage is not None:
            conditions.append(workflow.in_stage(content_type, query.stage, bound, drafts=drafts))
        about_terms, others = term_filters.split(filters)
        conditions += compile_filters(others, content_type, bound, visible)
        conditions += await term_filters.conditions(self._terms, site, about_terms, drafts=drafts, as_of=query.as_of)
        order = compile_sort(query.sort, content_type, visible, default="-updated_at" if drafts else "-published_at")
        branches = chain.branches(bound, "entries" if drafts else source)
        wheres = [" AND ".join([*conditions, *branch]) for branch in branches]
        count, total = count_sql(source, wheres), ""
        if query.count == "exact":
            total = f", ({count}) AS total"
        columns = f"{'d.*' if drafts else 'd.body'}{total}"
        sql = page_sql(source, wheres, columns, order, limit=query.page_size, offset=query.offset)
        arguments = [*fixed, *bound.arguments]
        rows = await self._reads.fetch(sql, *arguments)
        if query.count != "exact":
            return rows, None
        if not rows and query.page > 1:
            return rows, await self._reads.fetchval(f"SELECT {count}", *arguments)
        return rows, rows[0]["total"] if rows else 0


def _needed(principal: Principal, site: Site, as_of: datetime | None, *, drafts: bool = False) -> Permission:
    """The permission that tells how far a reader's rights reach; raises where it is not held."""
    principal.require(permissions.READ.code, site.id)
    if as_of is None and not drafts:
        return permissions.READ
    principal.require(permissions.READ_DRAFTS.code, site.id)
    return permissions.READ_DRAFTS


def _seen(scope: Scope | None, row: asyncpg.Record | None) -> Document:
    """A row of `documents` as the caller may read it, or not found."""
    if row is None:
        raise ItemNotFoundError
    if scope is None:
        return Document(row[0], row[1])
    body = within(scope, row[0])
    if body is None:
        raise ItemNotFoundError
    return Document(body, row[1] if body is row[0] else render.etag_of(row[1], body))


def _first_seen(scope: Scope | None, rows: Sequence[asyncpg.Record]) -> Document:
    """The first of these rows of which the caller may read anything, or not found."""
    for row in rows:
        with suppress(ItemNotFoundError):
            return _seen(scope, row)
    raise ItemNotFoundError


def within(scope: Scope, body: bytes) -> bytes | None:
    """A document cut to what the scope shows; the same bytes where that is all of it, None where it is nothing."""
    document = json.loads(body)
    created_by = UUID(document["created_by"]) if document["created_by"] is not None else None
    seen = access.view(scope, document["type"], document["locale"], created_by)
    if seen is None:
        return None
    locales = access.within_locales(scope, document["type"], document["locales"], created_by)
    if seen.fields is None and len(locales) == len(document["locales"]):
        return body
    return json.dumps(
        {**document, "data": seen.project(document["data"]), "locales": locales, **_beside(document, seen)}
    )


def _beside(document: Mapping[str, Any], seen: access.View) -> dict[str, Any]:
    """What a document says of some of its fields, as far as the caller sees these."""
    found: dict[str, Any] = {}
    if "fallback_fields" in document:
        found["fallback_fields"] = seen.project(document["fallback_fields"])
    if "unpublished" in document:
        found["unpublished"] = [target for target in document["unpublished"] if seen.shows(target["field"])]
    return found


def _body(
    row: asyncpg.Record,
    content_type: CompiledType,
    scope: Scope | None,
    terms: Mapping[UUID, tuple[ItemTerm, ...]],
    *,
    drafts: bool,
) -> bytes | None:
    """A row of a list as JSON; the query has left out what is not within reach as a whole."""
    if not drafts:
        body: bytes = row["body"]
        return body if scope is None else within(scope, body)
    item = replace(repository.to_item(row, content_type), terms=terms.get(row["id"], ()))
    seen = access.view(scope, content_type.key, item.locale, item.created_by) or access.NOTHING
    locales = access.within_locales(scope, content_type.key, item.locales, item.created_by)
    return json.dumps(render.draft(replace(item, data=seen.project(item.data), locales=locales)))


def _join(bodies: Sequence[bytes], total: int | None, query: ListItems) -> bytes:
    end = b'],"total":%s,"page":%d,"page_size":%d}' % (
        b"null" if total is None else b"%d" % total,
        query.page,
        query.page_size,
    )
    return b'{"items":[' + b",".join(bodies) + end


def _wanted(fields: str | None, content_type: CompiledType, visible: Visible) -> list[str]:
    """The members that `fields=` asks for; what the type does not have, or the caller may not read, is refused."""
    wanted = fields.split(",") if fields else []
    known = {*visible.of(content_type, html=not visible.private), *SELECTABLE}
    existing = {*replace(visible, fields=None).of(content_type, html=not visible.private)}
    hidden = [name for name in wanted if name in existing - known]
    if hidden:
        raise FieldForbiddenError(f"Your rights do not reach {', '.join(hidden)}.")
    unknown = [name for name in wanted if name not in known]
    if unknown:
        names = ", ".join(sorted(known))
        raise BadRequestError(f"fields: there is no {', '.join(unknown)}. Known: {names}.", code="unknown_field")
    return wanted


def _project(document: dict[str, object], wanted: Sequence[str]) -> dict[str, object]:
    chosen = {name: document.get(name) for name in wanted if "." not in name}
    keys = [name.partition(".")[2] for name in wanted if "." in name]
    data = document["data"]
    if keys and "data" not in chosen and isinstance(data, dict):
        chosen["data"] = {key: data.get(key) for key in keys}
    return chosen

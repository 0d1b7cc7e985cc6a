"""The read path: published documents as bytes, one query an answer, nothing parsed and nothing built."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from scaicms.features.content import permissions, render, repository
from scaicms.features.content.errors import ItemNotFoundError
from scaicms.features.content.filters import Bound, compile_filters, compile_sort
from scaicms.features.content.locales import known_locale
from scaicms.features.content.schemas import ListItems
from scaicms.features.content_types.service import CompiledType, ContentTypeService
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.errors import BadRequestError
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

_BY_ID = "SELECT body, etag FROM documents WHERE item_id = $1 AND locale = $2 AND site_id = $3"
_BY_SLUG = "SELECT body, etag FROM documents WHERE site_id = $1 AND type_id = $2 AND locale = $3 AND slug = $4"

_DRAFTS = """(
    SELECT i.id AS item_id, i.id, i.site_id, i.type_id, i.slug, i.created_at, i.created_by, e.locale, e.data, e.version,
           e.published_version, e.updated_at, e.updated_by, p.published_at
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
        self._reads = services.resources.reads

    async def by_id(self, principal: Principal, site: Site, item_id: UUID, locale: str | None = None) -> Document:
        """The published document of an item."""
        principal.require(permissions.READ.code, site.id)
        row = await self._reads.fetchrow(_BY_ID, item_id, known_locale(site, locale), site.id)
        if row is None:
            raise ItemNotFoundError
        return Document(row[0], row[1])

    async def by_slug(
        self, principal: Principal, site: Site, type_key: str, slug: str, locale: str | None = None
    ) -> Document:
        """The published document with this slug."""
        principal.require(permissions.READ.code, site.id)
        content_type = await self._types.compiled(site.id, type_key)
        row = await self._reads.fetchrow(_BY_SLUG, site.id, content_type.id, known_locale(site, locale), slug)
        if row is None:
            raise ItemNotFoundError
        return Document(row[0], row[1])

    async def page(
        self, principal: Principal, site: Site, query: ListItems, filters: Sequence[tuple[str, str]]
    ) -> bytes:
        """A page of a list, as the JSON that goes out."""
        principal.require(permissions.READ.code, site.id)
        drafts = query.status != "published"
        if drafts:
            principal.require(permissions.READ_DRAFTS.code, site.id)
        content_type = await self._types.compiled(site.id, query.type)
        wanted = _wanted(query.fields, content_type, private=drafts)
        rows, total = await self._select(site, content_type, query, filters, drafts=drafts)
        if drafts:
            bodies = [json.dumps(render.draft(repository.to_item(row, content_type))) for row in rows]
        else:
            bodies = [row["body"] for row in rows]
        if wanted:
            bodies = [json.dumps(_project(json.loads(body), wanted)) for body in bodies]
        return _join(bodies, total, query)

    async def _select(
        self,
        site: Site,
        content_type: CompiledType,
        query: ListItems,
        filters: Sequence[tuple[str, str]],
        *,
        drafts: bool,
    ) -> tuple[list[asyncpg.Record], int | None]:
        fixed = [site.id, content_type.id, known_locale(site, query.locale)]
        bound = Bound(len(fixed))
        conditions = ["d.site_id = $1", "d.type_id = $2", "d.locale = $3"]
        if query.status == "draft":
            conditions.append("d.published_version IS DISTINCT FROM d.version")
        conditions += compile_filters(filters, content_type, bound, private=drafts)
        order = compile_sort(
            query.sort, content_type, default="-updated_at" if drafts else "-published_at", private=drafts
        )
        where = " AND ".join(conditions)
        source = _DRAFTS if drafts else "documents"
        counted = f", (SELECT count(*) FROM {source} d WHERE {where}) AS total" if query.count == "exact" else ""
        sql = f"""SELECT {"d.*" if drafts else "d.body"}{counted} FROM {source} d WHERE {where} ORDER BY {order}
                  LIMIT {query.page_size} OFFSET {query.offset}"""
        arguments = [*fixed, *bound.arguments]
        rows = await self._reads.fetch(sql, *arguments)
        if query.count != "exact":
            return rows, None
        if not rows and query.page > 1:
            total = await self._reads.fetchval(f"SELECT count(*) FROM {source} d WHERE {where}", *arguments)
            return rows, total
        return rows, rows[0]["total"] if rows else 0


def _join(bodies: Sequence[bytes], total: int | None, query: ListItems) -> bytes:
    end = b'],"total":%s,"page":%d,"page_size":%d}' % (
        b"null" if total is None else b"%d" % total,
        query.page,
        query.page_size,
    )
    return b'{"items":[' + b",".join(bodies) + end


def _wanted(fields: str | None, content_type: CompiledType, *, private: bool) -> list[str]:
    """The members that `fields=` asks for; what the type does not have is refused."""
    wanted = fields.split(",") if fields else []
    known = {f"data.{f.key}" for f in content_type.fields.values() if private or not f.private} | SELECTABLE
    unknown = [name for name in wanted if name not in known]
    if unknown:
        names = ", ".join(sorted(known))
        raise BadRequestError(f"fields: there is no {', '.join(unknown)}. Known: {names}.", code="unknown_field")
    return wanted


def _project(document: dict[str, object], wanted: Sequence[str]) -> dict[str, object]:
    chosen = {name: document[name] for name in wanted if "." not in name}
    keys = [name.partition(".")[2] for name in wanted if "." in name]
    data = document["data"]
    if keys and "data" not in chosen and isinstance(data, dict):
        chosen["data"] = {key: data.get(key) for key in keys}
    return chosen

"""Which items have a term, as far as a caller may know."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from asyncpg import Record

from scaicms.features.content.paths import Bound
from scaicms.infra import db
from scaicms.kit.principal import UNBOUND, Narrowing, Scope

Links = Literal["item_terms", "document_terms"]
_IN_LOCALES = {
    "item_terms": "EXISTS (SELECT 1 FROM entries e WHERE e.item_id = i.id AND e.locale = ANY({locales}))",
    "document_terms": "l.locale = ANY({locales})",
}


@dataclass(frozen=True, slots=True)
class Having:
    """A term, and where what has it is looked for: among drafts or documents, each as far as a scope reaches."""

    site_id: UUID
    term_id: UUID
    reaches: Sequence[tuple[Links, Scope | None]]


async def page(having: Having, *, under: bool, limit: int, offset: int) -> list[Record]:
    """Items with the term, or (`under`) with it or one below it; the newest first."""
    found, arguments = _from(having, under=under)
    sql = f"""SELECT i.id, i.slug, t.key AS type, EXISTS (SELECT 1 FROM documents d WHERE d.item_id = i.id) AS published
              {found} ORDER BY i.id DESC LIMIT {limit} OFFSET {offset}"""
    return await db.fetch(sql, *arguments)


async def count(having: Having, *, under: bool) -> int:
    found, arguments = _from(having, under=under)
    return int(await db.fetchval(f"SELECT count(*) {found}", *arguments))


def _from(having: Having, *, under: bool) -> tuple[str, list[Any]]:
    bound = Bound(2)
    has = f"l.{'under' if under else 'terms'} @> ARRAY[$2::uuid]"
    ways = []
    for links, scope in having.reaches:
        for narrowing in scope.bounds if scope is not None else (UNBOUND,):
            within = _within(links, narrowing, scope, bound)
            ways.append(f"EXISTS (SELECT 1 FROM {links} l WHERE l.item_id = i.id AND {' AND '.join([has, *within])})")
    sql = f"""FROM items i JOIN content_types t ON t.id = i.type_id
              WHERE i.site_id = $1 AND i.deleted_at IS NULL AND ({" OR ".join(ways) or "false"})"""
    return sql, [having.site_id, having.term_id, *bound.arguments]


def _within(links: Links, narrowing: Narrowing, scope: Scope | None, bound: Bound) -> list[str]:
    conditions = []
    if narrowing.content_types is not None:
        conditions.append(f"t.key = ANY({bound.bind(list(narrowing.content_types))})")
    if narrowing.locales is not None:
        conditions.append(_IN_LOCALES[links].format(locales=bound.bind(list(narrowing.locales))))
    if narrowing.own_only:
        conditions.append(f"i.created_by = {bound.bind(scope.owner_id if scope is not None else None)}")
    return conditions

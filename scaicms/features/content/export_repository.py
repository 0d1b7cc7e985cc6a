"""Every query of exports: server-side cursors over one snapshot of the database."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from asyncpg import Record

from scaicms.features.content.editing_schemas import ExportQuery
from scaicms.features.content.paths import Bound
from scaicms.features.content.reaching import reached
from scaicms.infra import db
from scaicms.kit.principal import Scope

BATCH = 50
"""Rows that are held at a time."""

_TAXONOMIES = "SELECT key, name, description, hierarchical, localized FROM taxonomies WHERE site_id = $1 ORDER BY key"
_TERMS = """
SELECT x.key AS taxonomy, t.slug, t.names, p.slug AS parent
FROM terms t JOIN taxonomies x ON x.id = t.taxonomy_id LEFT JOIN terms p ON p.id = t.parent_id
WHERE x.site_id = $1 ORDER BY x.key, cardinality(t.path), p.slug, t.position
"""
# Slugs of terms by taxonomy, each in the order that the editor gave.
_SLUGS = """
(SELECT coalesce(jsonb_object_agg(s.key, s.slugs), '{{}}') FROM (
    SELECT x.key, jsonb_agg(t.slug ORDER BY u.place) AS slugs
    FROM {links} l CROSS JOIN LATERAL unnest(l.terms) WITH ORDINALITY AS u(id, place)
    JOIN terms t ON t.id = u.id JOIN taxonomies x ON x.id = t.taxonomy_id
    WHERE {these} GROUP BY x.key) s)
"""
# What a document published before there were revisions has of its own: nothing private, nothing of other locales.
_OWN = """d.data - ARRAY(SELECT jsonb_object_keys(
        coalesce(convert_from(d.body, 'UTF8')::jsonb->'fallback_fields', '{}')))"""
_PUBLISHED = f"""
CASE WHEN d.item_id IS NOT NULL THEN jsonb_build_object(
    'version', d.version, 'slug', d.slug, 'published_at', d.published_at, 'updated_at', d.updated_at,
    'updated_by', convert_from(d.body, 'UTF8')::jsonb->'updated_by',
    'data', CASE WHEN d.version <> e.version THEN coalesce(r.data, {_OWN}) END,
    'taxonomies', {_SLUGS.format(links="document_terms", these="l.item_id = d.item_id AND l.locale = d.locale")}) END
"""
_ITEMS = f"""
SELECT i.id, i.slug, i.created_at, i.created_by, i.archived_at, i.stage,
       {_SLUGS.format(links="item_terms", these="l.item_id = i.id")} AS taxonomies,
       (SELECT jsonb_agg(jsonb_build_object('locale', e.locale, 'version', e.version, 'updated_at', e.updated_at,
                   'updated_by', e.updated_by, 'data', e.data, 'published', {_PUBLISHED}) ORDER BY e.locale)
        FROM entries e
        LEFT JOIN documents d ON d.item_id = e.item_id AND d.locale = e.locale
        LEFT JOIN revisions r ON r.item_id = e.item_id AND r.locale = e.locale AND r.number = d.version
        WHERE e.item_id = i.id {{only}}) AS entries
"""
_WITH_STATUS = {
    "any": "true",
    "draft": "i.archived_at IS NULL AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.item_id = i.id)",
    "published": "EXISTS (SELECT 1 FROM documents d WHERE d.item_id = i.id)",
    "archived": "i.archived_at IS NOT NULL",
}


async def taxonomies(reads: db.ReadProxy, site_id: UUID) -> Sequence[Record]:
    return await reads.fetch(_TAXONOMIES, site_id)


def terms(reads: db.ReadProxy, site_id: UUID) -> AsyncIterator[Record]:
    """Those above others first, siblings in their order."""
    return aiter(reads.cursor(_TERMS, site_id, prefetch=BATCH))


async def types(reads: db.ReadProxy, site_id: UUID, only: str | None) -> Sequence[Record]:
    sql = "SELECT id, key FROM content_types WHERE site_id = $1 AND ($2::text IS NULL OR key = $2) ORDER BY key"
    return await reads.fetch(sql, site_id, only)


async def count(reads: db.ReadProxy, site_id: UUID, type_id: UUID, scope: Scope | None, query: ExportQuery) -> int:
    found, arguments, _ = _from(site_id, type_id, scope, query)
    return int(await reads.fetchval(f"SELECT count(*) {found}", *arguments))


def items(
    reads: db.ReadProxy, site_id: UUID, type_id: UUID, scope: Scope | None, query: ExportQuery
) -> AsyncIterator[Record]:
    """Items of a type outside the trash with all of their locales, in the order of their ids."""
    found, arguments, only = _from(site_id, type_id, scope, query)
    sql = _ITEMS.replace("{only}", only)
    return aiter(reads.cursor(f"{sql} {found} ORDER BY i.id", *arguments, prefetch=BATCH))


def _from(site_id: UUID, type_id: UUID, scope: Scope | None, query: ExportQuery) -> tuple[str, list[object], str]:
    bound = Bound(2)
    only = f"AND e.locale = {bound.bind(query.locale)}" if query.locale is not None else ""
    conditions = ["i.site_id = $1", "i.type_id = $2", "i.deleted_at IS NULL", _WITH_STATUS[query.status]]
    conditions.append(f"EXISTS (SELECT 1 FROM entries e WHERE e.item_id = i.id {only})")
    conditions.append(reached(scope, bound))
    found = f"FROM items i JOIN content_types t ON t.id = i.type_id WHERE {' AND '.join(conditions)}"
    return found, [site_id, type_id, *bound.arguments], only

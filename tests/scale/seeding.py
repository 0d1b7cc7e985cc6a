"""A large site, written by SQL: what takes minutes through HTTP takes seconds here.

The words of an article are chosen by its number, so that a test knows how many articles have which.
"""

import os
from uuid import UUID

import asyncpg

from scaicms.infra import db
from scaicms.infra.db.dsn import parse_dsn

ITEMS = int(os.environ.get("SCALE_ITEMS", "200000"))
CHUNK = 20_000
AUTHORS = 1_000
KINDS = [f"kind{number}" for number in range(20)]
FIELDS = [
    {"key": "title", "type": "string", "required": True, "indexed": True},
    {"key": "body", "type": "text"},
    {"key": "kind", "type": "select", "options": KINDS, "indexed": True},
    {"key": "price", "type": "number"},
    {"key": "stock", "type": "integer", "indexed": True},
    {"key": "featured", "type": "boolean"},
    {"key": "tags", "type": "multiselect"},
    {"key": "author", "type": "relation", "target": "author"},
    {"key": "related", "type": "relations", "target": "article"},
]
# Every so many articles have the word: `walrus` is in 1 % of them.
WORDS = {"everywhere": 1, "often": 2, "eighta": 12, "eightb": 12, "eightc": 12, "walrus": 100, "seldom": 20_000}
_OFFSETS = {"eightb": 5, "eightc": 7}
_CHOSEN = ", ".join(
    f"CASE WHEN n % {every} = {_OFFSETS.get(word, 0)} THEN '{word}' END" for word, every in WORDS.items()
)
_MADE = f"""
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - ($5 - n) * 1000), 12, '0') || '7'
        || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id,
       n, 'item-' || n AS slug, now() - ($5 - n) * interval '1 second' AS at,
       jsonb_build_object(
           'title', 'Item ' || n,
           'body', concat_ws(' ', {_CHOSEN}, (SELECT string_agg('v' || abs(hashint8(n * 100 + k)) % 3000, ' ')
                                              FROM generate_series(1, 40) k)),
           'kind', 'kind' || n % 20, 'price', n % 9973, 'stock', n % 5000, 'featured', n % 2 = 0,
           'tags', jsonb_build_array('t' || n % 3, 'u' || n % 500),
           'author', ($6::uuid[])[CASE WHEN n % 2 = 0 THEN 1 ELSE 1 + n % {AUTHORS} END]) AS data
FROM generate_series($3::bigint, $4::bigint) n, (SELECT $1::uuid, $2::uuid) given"""
_FILL = (
    "INSERT INTO items (id, site_id, type_id, slug, created_at) SELECT id, $1, $2, slug, at FROM made ORDER BY n",
    """INSERT INTO entries (id, item_id, locale, data, version, published_version, updated_at)
       SELECT gen_random_uuid(), id, 'en', data, 1, 1, at FROM made, (SELECT $1::uuid, $2::uuid) given ORDER BY n""",
    """INSERT INTO documents (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at,
                              updated_at, published_at)
       SELECT id, 'en', $1, $2, slug, 1, '"v1-0"',
              convert_to(jsonb_build_object(
                  'id', id, 'type', 'article', 'locale', 'en', 'locales', ARRAY['en'], 'slug', slug, 'url', NULL,
                  'status', 'published', 'version', 1, 'taxonomies', '{}'::jsonb, 'created_at', at, 'created_by', NULL,
                  'updated_at', at, 'updated_by', NULL, 'published_at', at, 'publish_at', NULL, 'data', data)::text,
                  'UTF8'),
              data, at, at, at FROM made ORDER BY n""",
    """INSERT INTO search_documents (item_id, locale, site_id, type_key, version, title, body, words)
       SELECT id, 'en', $1, 'article', 1, data->>'title', data->>'body',
              setweight(to_tsvector('english', data->>'title'), 'A')
              || setweight(to_tsvector('english', data->>'body'), 'D')
       FROM made, (SELECT $2::uuid) given ORDER BY n""",
    """INSERT INTO revisions (site_id, type_id, item_id, locale, number, data, slug, terms, created_at, kind)
       SELECT $1, $2, id, 'en', 1, data, slug, '{}', at, 'created' FROM made ORDER BY n""",
    """INSERT INTO document_history (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at,
                                     updated_at, published_at, valid_from, valid_to, made_by)
       SELECT d.item_id, d.locale, d.site_id, d.type_id, d.slug, d.version, d.etag, d.body, d.data, d.created_at,
              d.updated_at, d.published_at, d.published_at, 'infinity', 1
       FROM made JOIN documents d ON d.item_id = made.id, (SELECT $1::uuid, $2::uuid) given ORDER BY n""",
    """INSERT INTO document_counts (site_id, type_id, locale, number)
       SELECT $1, $2, 'en', count(*) FROM made""",
    """INSERT INTO content_references (site_id, item_id, field, target_id)
       SELECT $1, id, 'author', (data->>'author')::uuid FROM made, (SELECT $2::uuid) given""",
    """INSERT INTO document_links (item_id, locale, field, target_id)
       SELECT id, 'en', 'author', (data->>'author')::uuid FROM made, (SELECT $1::uuid, $2::uuid) given""",
)
_TERMS = (
    """INSERT INTO document_terms (item_id, locale, site_id, terms, under, stale)
       SELECT id, 'en', $1, ARRAY[$2::uuid], ARRAY[$2::uuid, $3::uuid], false FROM made""",
    """INSERT INTO item_terms (item_id, site_id, terms, under)
       SELECT id, $1, ARRAY[$2::uuid], ARRAY[$2::uuid, $3::uuid] FROM made""",
)
TABLES = (
    "items", "entries", "documents", "search_documents", "content_references", "document_links", "document_terms",
    "item_terms", "revisions", "document_history", "document_term_history", "document_counts", "terms",
)  # fmt: skip


async def fill(
    site_id: UUID, type_id: UUID, authors: list[UUID], *, number: int, term_id: UUID, taxonomy_id: UUID, dsn: str
) -> None:
    """Write `number` published articles with one term each, as a worker would have indexed them."""
    connection = await asyncpg.connect(**parse_dsn(dsn))  # the pool's statements have a timeout
    try:
        for start in range(1, number + 1, CHUNK):
            stop = min(number, start + CHUNK - 1)
            async with connection.transaction():
                # The triggers work row by row; what they would write is among the statements.
                await connection.execute("SET LOCAL session_replication_role = 'replica'")
                await connection.execute(_MADE, site_id, type_id, start, stop, number, authors)
                for sql in _FILL:
                    await connection.execute(sql, site_id, type_id)
                for sql in _TERMS:
                    await connection.execute(sql, site_id, term_id, taxonomy_id)
        for table in TABLES:
            await connection.execute(f"VACUUM (ANALYZE) {table}")
    finally:
        await connection.close()


async def grow_terms(taxonomy_id: UUID, parent_id: UUID, number: int) -> None:
    """Write `number` terms below one."""
    await db.execute(
        """INSERT INTO terms (id, taxonomy_id, parent_id, slug, names, path, position, created_at, updated_at)
           SELECT id, $1, $2, 'term-' || n, jsonb_build_object('en', 'Term ' || n), ARRAY[$2, id], n - 1, now(), now()
           FROM (SELECT gen_random_uuid() AS id, n FROM generate_series(1, $3::int) n) made""",
        taxonomy_id,
        parent_id,
        number,
    )

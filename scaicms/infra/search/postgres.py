"""PostgreSQL full text: weights A (title), B (summary), C (terms), D (body); BM25-like enough for a site's content."""

from uuid import UUID

from asyncpg import Record
from markupsafe import escape

from scaicms.infra import db
from scaicms.infra.search.port import Hit, SearchDocument, SearchPage, SearchReach, SearchRequest

# https://www.postgresql.org/docs/current/textsearch-psql.html: the stemmers that PostgreSQL ships.
_CONFIGURATIONS = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}  # fmt: skip - a table of pairs reads better in rows
# A tsvector holds at most 1 MiB; words beyond this many characters of a body are not indexed.
MAX_INDEXED_CHARACTERS = 400_000
_MARK, _UNMARK = "\ue000", "\ue001"

_REPLACE = """
INSERT INTO search_documents (item_id, locale, site_id, type_key, version, title, body, words)
VALUES ($1, $2, $3, $4, $5, $6, $7,
        setweight(to_tsvector($9::regconfig, $6), 'A') || setweight(to_tsvector($9::regconfig, $8), 'B')
        || setweight(to_tsvector($9::regconfig, $10), 'C') || setweight(to_tsvector($9::regconfig, $7), 'D'))
ON CONFLICT (item_id, locale) DO UPDATE
SET type_key = $4, version = $5, title = $6, body = $7, words = excluded.words
"""

# 1: divides by the logarithm of the length, so that long posts do not win by length alone.
_SEARCH = f"""
WITH asked AS (SELECT websearch_to_tsquery($1::regconfig, $2) AS query),
found AS (
    SELECT s.id, s.item_id, ts_rank_cd('{{0.1, 0.2, 0.4, 1.0}}', s.words, asked.query, 1) AS score,
           count(*) OVER () AS total
    FROM search_documents s
    JOIN documents d ON d.item_id = s.item_id AND d.locale = s.locale, asked
    WHERE s.site_id = $3 AND s.locale = $4 AND ($5::text IS NULL OR s.type_key = $5) AND s.words @@ asked.query
    ORDER BY score DESC, s.item_id DESC LIMIT $6 OFFSET $7)
SELECT f.item_id, f.score, f.total,
       CASE WHEN $8 THEN ts_headline($1::regconfig, s.title, asked.query,
            'StartSel={_MARK}, StopSel={_UNMARK}, HighlightAll=true') END AS title,
       CASE WHEN $8 THEN ts_headline($1::regconfig, left(s.body, 50000), asked.query,
            'StartSel={_MARK}, StopSel={_UNMARK}, MaxFragments=2, MaxWords=25, MinWords=10') END AS body
FROM found f JOIN search_documents s ON s.id = f.id, asked
ORDER BY f.score DESC, f.item_id DESC
"""

# For narrowed callers. Which rules fit a document, and from them its words: those of the index where a rule gives all
# fields, else those of the fields within reach alone. The index as a whole must not decide about the latter, not even
# by `-word`: that would tell what stands in fields which the caller may not read.
_SEARCH_WITHIN = f"""
WITH asked AS (SELECT websearch_to_tsquery($1::regconfig, $2) AS query),
found AS (
    SELECT s.id, s.item_id, reach.whole, ts_rank_cd('{{0.1, 0.2, 0.4, 1.0}}', reach.words, asked.query, 1) AS score,
           count(*) OVER () AS total
    FROM search_documents s
    JOIN documents d ON d.item_id = s.item_id AND d.locale = s.locale
    JOIN items i ON i.id = s.item_id
    CROSS JOIN asked
    CROSS JOIN LATERAL (
        SELECT bool_or(r.all_fields) AS whole,
               CASE WHEN bool_or(r.all_fields) THEN s.words ELSE jsonb_to_tsvector($1::regconfig, (
                   SELECT jsonb_object_agg(f.key, f.value) FROM jsonb_each(d.data) f
                   WHERE f.key = ANY(string_to_array(string_agg(r.fields, ','), ','))), '["string"]') END AS words
        FROM unnest($9::text[], $10::boolean[], $11::text[], $12::boolean[]) AS r(types, all_fields, fields, own)
        WHERE (r.types IS NULL OR s.type_key = ANY(string_to_array(r.types, ',')))
          AND (NOT r.own OR i.created_by = $13)) reach
    WHERE s.site_id = $3 AND s.locale = $4 AND ($5::text IS NULL OR s.type_key = $5)
      AND (s.words @@ asked.query OR false = ANY($10)) AND reach.words @@ asked.query
    ORDER BY score DESC, s.item_id DESC LIMIT $6 OFFSET $7)
SELECT f.item_id, f.score, f.total,
       CASE WHEN $8 AND f.whole THEN ts_headline($1::regconfig, s.title, asked.query,
            'StartSel={_MARK}, StopSel={_UNMARK}, HighlightAll=true') END AS title,
       CASE WHEN $8 AND f.whole THEN ts_headline($1::regconfig, left(s.body, 50000), asked.query,
            'StartSel={_MARK}, StopSel={_UNMARK}, MaxFragments=2, MaxWords=25, MinWords=10') END AS body
FROM found f JOIN search_documents s ON s.id = f.id, asked
ORDER BY f.score DESC, f.item_id DESC
"""


def configuration(locale: str) -> str:
    """The text search configuration of a locale; `simple`, without stemming, where PostgreSQL has none."""
    return _CONFIGURATIONS.get(locale.partition("-")[0].lower(), "simple")


class PostgresSearch:
    """The index in the database itself: it commits with the job that writes it."""

    name = "postgresql"

    def __init__(self, reads: db.ReadPool) -> None:
        self._reads = reads

    async def replace(self, site_id: UUID, item_id: UUID, documents: list[SearchDocument]) -> None:
        locales = [document.locale for document in documents]
        await db.execute(
            "DELETE FROM search_documents WHERE site_id = $1 AND item_id = $2 AND locale <> ALL($3)",
            site_id,
            item_id,
            locales,
        )
        for document in documents:
            await db.execute(
                _REPLACE,
                document.item_id,
                document.locale,
                document.site_id,
                document.type_key,
                document.version,
                document.title,
                document.body[:MAX_INDEXED_CHARACTERS],
                document.summary[:MAX_INDEXED_CHARACTERS],
                configuration(document.locale),
                document.terms[:MAX_INDEXED_CHARACTERS],
            )

    async def search(self, request: SearchRequest) -> SearchPage:
        within = () if request.reach is None else _within(request.reach)
        rows = await self._reads.fetch(
            _SEARCH if request.reach is None else _SEARCH_WITHIN,
            configuration(request.locale),
            request.words,
            request.site_id,
            request.locale,
            request.type_key,
            request.limit,
            request.offset,
            request.highlight,
            *within,
        )
        return SearchPage([_hit(row) for row in rows], rows[0]["total"] if rows else 0)

    async def count(self, site_id: UUID) -> int:
        return int(await self._reads.fetchval("SELECT count(*) FROM search_documents WHERE site_id = $1", site_id))


def _within(reach: SearchReach) -> tuple[object, ...]:
    """The arguments of `_SEARCH_WITHIN`, rules by column. Keys hold no commas (KEY_PATTERN)."""
    rules = reach.rules
    return (
        [None if rule.type_keys is None else ",".join(rule.type_keys) for rule in rules],
        [rule.fields is None for rule in rules],
        [",".join(rule.fields or ()) for rule in rules],
        [rule.own_only for rule in rules],
        reach.owner_id,
    )


def _hit(row: Record) -> Hit:
    texts = {key: row[key] for key in ("title", "body") if row[key] is not None and _MARK in row[key]}
    marked = {key: _mark(text) for key, text in texts.items()}
    return Hit(row["item_id"], round(float(row["score"]), 6), marked)


def _mark(text: str) -> str:
    return str(escape(text)).replace(_MARK, "<mark>").replace(_UNMARK, "</mark>")

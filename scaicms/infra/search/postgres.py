"""PostgreSQL full text: weights A (title), B (summary), D (body); BM25-like enough for one site's content."""

from uuid import UUID

from asyncpg import Record
from markupsafe import escape

from scaicms.infra import db
from scaicms.infra.search.port import Hit, SearchDocument, SearchPage, SearchRequest

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
        || setweight(to_tsvector($9::regconfig, $7), 'D'))
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
            )

    async def search(self, request: SearchRequest) -> SearchPage:
        rows = await self._reads.fetch(
            _SEARCH,
            configuration(request.locale),
            request.words,
            request.site_id,
            request.locale,
            request.type_key,
            request.limit,
            request.offset,
            request.highlight,
        )
        return SearchPage([_hit(row) for row in rows], rows[0]["total"] if rows else 0)

    async def count(self, site_id: UUID) -> int:
        return int(await self._reads.fetchval("SELECT count(*) FROM search_documents WHERE site_id = $1", site_id))


def _hit(row: Record) -> Hit:
    texts = {key: row[key] for key in ("title", "body") if row[key] is not None and _MARK in row[key]}
    marked = {key: _mark(text) for key, text in texts.items()}
    return Hit(row["item_id"], round(float(row["score"]), 6), marked)


def _mark(text: str) -> str:
    return str(escape(text)).replace(_MARK, "<mark>").replace(_UNMARK, "</mark>")

"""PostgreSQL full text: weights A (title), B (summary), C (terms), D (body); BM25-like enough for a site's content."""

from uuid import UUID

from asyncpg import Record
from markupsafe import escape

from scaicms.infra import db
from scaicms.infra.search.port import Hit, SearchDocument, SearchPage, SearchRequest, TooManyWordsError
from scaicms.infra.search.ranking import MARK, MAX_NODES, UNMARK, statement

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
_WORDS = """setweight(to_tsvector($9::regconfig, $6), 'A') || setweight(to_tsvector($9::regconfig, $8), 'B')
    || setweight(to_tsvector($9::regconfig, $10), 'C') || setweight(to_tsvector($9::regconfig, $7), 'D')"""
# An update first: an insert takes a new id even where it becomes an update, and searches walk over ids.
_UPDATE = f"""
UPDATE search_documents SET type_key = $4, version = $5, title = $6, body = $7, words = {_WORDS}
WHERE item_id = $1 AND locale = $2 AND site_id = $3
"""
_INSERT = f"""
INSERT INTO search_documents (item_id, locale, site_id, type_key, version, title, body, words)
VALUES ($1, $2, $3, $4, $5, $6, $7, {_WORDS})
"""


def configuration(locale: str) -> str:
    """The text search configuration of a locale; `simple`, without stemming, where PostgreSQL has none."""
    return _CONFIGURATIONS.get(locale.partition("-")[0].lower(), "simple")


class PostgresSearch:
    """The index in the database itself: it commits with the job that writes it."""

    name = "postgresql"

    def __init__(self, reads: db.ReadPool, searches: db.Share) -> None:
        self._reads = reads
        self._searches = searches

    async def replace(self, site_id: UUID, item_id: UUID, documents: list[SearchDocument]) -> None:
        locales = [document.locale for document in documents]
        await db.execute(
            "DELETE FROM search_documents WHERE site_id = $1 AND item_id = $2 AND locale <> ALL($3)",
            site_id,
            item_id,
            locales,
        )
        for document in documents:
            row = (
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
            if not await db.execute(_UPDATE, *row):
                await db.execute(_INSERT, *row)

    async def search(self, request: SearchRequest) -> SearchPage:
        sql, arguments = statement(configuration(request.locale), request)
        async with self._searches.connection() as connection:
            rows = await connection.fetch(sql, *arguments)
        about = rows[0]
        if about["nodes"] > MAX_NODES:
            raise TooManyWordsError
        hits = [_hit(row) for row in rows if row["item_id"] is not None]
        return SearchPage(hits, about["total"], is_lower_bound=about["is_cut"])

    async def count(self, site_id: UUID) -> int:
        return int(await self._reads.fetchval("SELECT count(*) FROM search_documents WHERE site_id = $1", site_id))


def _hit(row: Record) -> Hit:
    texts = {key: row[key] for key in ("title", "body") if row[key] is not None and MARK in row[key]}
    marked = {key: _mark(text) for key, text in texts.items()}
    return Hit(row["item_id"], round(float(row["score"]), 6), marked)


def _mark(text: str) -> str:
    return str(escape(text)).replace(MARK, "<mark>").replace(UNMARK, "</mark>")

"""Every query on which drafts and documents have which terms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from asyncpg import Record

from scaicms.features.taxonomies.records import Showing
from scaicms.infra import db
from scaicms.kit import json
from scaicms.kit.ids import parse_id

Known = dict[tuple[str, str], UUID]
"""Terms by the key of their taxonomy and a name, which is their slug or id."""

_SHOWN = "x.key AS taxonomy, t.id, t.slug, t.names FROM {links} l JOIN terms t ON t.id = l.term_id"
_OF = f"SELECT l.item_id, {_SHOWN} JOIN taxonomies x ON x.id = l.taxonomy_id"


@dataclass(frozen=True, slots=True)
class Shown:
    """A term that an item has."""

    item_id: UUID
    taxonomy: str
    id: UUID
    slug: str
    names: Mapping[str, str]


def _shown(row: Record) -> Shown:
    return Shown(row["item_id"], row["taxonomy"], row["id"], row["slug"], json.loads(row["names"]))


async def ids_under(term_id: UUID, limit: int) -> list[UUID]:
    """A term and those below it, at most so many."""
    rows = await db.fetch(f"SELECT id FROM terms WHERE path @> ARRAY[$1::uuid] LIMIT {limit}", term_id)
    return [row["id"] for row in rows]


async def taxonomy_keys(site_id: UUID) -> list[str]:
    return [row["key"] for row in await db.fetch("SELECT key FROM taxonomies WHERE site_id = $1", site_id)]


async def known(site_id: UUID, keys: Sequence[str], names: Sequence[str]) -> tuple[dict[str, UUID], Known]:
    """Of these taxonomies those that the site has, and which of the names, slugs or ids, are terms of each."""
    ids = [term_id for name in names if (term_id := parse_id(name)) is not None]
    rows = await db.fetch(
        """SELECT x.key, x.id AS taxonomy_id, t.id, t.slug FROM taxonomies x
           LEFT JOIN terms t ON t.taxonomy_id = x.id AND (t.slug = ANY($3) OR t.id = ANY($4))
           WHERE x.site_id = $1 AND x.key = ANY($2)""",
        site_id,
        list(keys),
        list(names),
        ids,
    )
    by_slug = {(row["key"], row["slug"]): row["id"] for row in rows}
    by_id = {(row["key"], str(row["id"])): row["id"] for row in rows}
    return {row["key"]: row["taxonomy_id"] for row in rows}, {**by_slug, **by_id}


async def terms_of(item_id: UUID, taxonomy_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """Terms of a draft by taxonomy, in their order."""
    rows = await db.fetch(
        """SELECT taxonomy_id, array_agg(term_id ORDER BY position) AS terms FROM item_terms
           WHERE item_id = $1 AND taxonomy_id = ANY($2) GROUP BY taxonomy_id""",
        item_id,
        list(taxonomy_ids),
    )
    return {row["taxonomy_id"]: row["terms"] for row in rows}


async def replace_terms(item_id: UUID, terms: Mapping[UUID, Sequence[UUID]]) -> None:
    await db.execute("DELETE FROM item_terms WHERE item_id = $1 AND taxonomy_id = ANY($2)", item_id, list(terms))
    rows = [(taxonomy, term, place) for taxonomy, listed in terms.items() for place, term in enumerate(listed)]
    await db.execute(
        """INSERT INTO item_terms (item_id, taxonomy_id, term_id, position)
           SELECT $1, r.taxonomy, r.term, r.position
           FROM unnest($2::uuid[], $3::uuid[], $4::smallint[]) AS r(taxonomy, term, position)""",
        item_id,
        [taxonomy for taxonomy, _, _ in rows],
        [term for _, term, _ in rows],
        [place for _, _, place in rows],
    )


async def of_items(item_ids: Sequence[UUID]) -> list[Shown]:
    sql = f"{_OF.format(links='item_terms')} WHERE l.item_id = ANY($1) ORDER BY x.key, l.position"
    return [_shown(row) for row in await db.fetch(sql, list(item_ids))]


async def publish(item_id: UUID, locale: str) -> None:
    await db.execute(
        """WITH gone AS (DELETE FROM document_terms WHERE item_id = $1 AND locale = $2
                         AND term_id NOT IN (SELECT term_id FROM item_terms WHERE item_id = $1))
           INSERT INTO document_terms (item_id, locale, term_id, taxonomy_id, position)
           SELECT item_id, $2, term_id, taxonomy_id, position FROM item_terms WHERE item_id = $1
           ON CONFLICT (item_id, locale, term_id) DO UPDATE SET position = excluded.position
           WHERE document_terms.position <> excluded.position""",
        item_id,
        locale,
    )


async def showing(term_id: UUID, after: Showing | None, limit: int) -> list[Showing]:
    rows = await db.fetch(
        f"""SELECT item_id, locale FROM document_terms
            WHERE term_id = $1 AND ($2::text IS NULL OR (locale, item_id) > ($2, $3::uuid))
            ORDER BY locale, item_id LIMIT {limit}""",
        term_id,
        after.locale if after is not None else None,
        after.item_id if after is not None else None,
    )
    return [Showing(row["item_id"], row["locale"]) for row in rows]


async def showing_what_is_gone(taxonomy_id: UUID, limit: int) -> list[Showing]:
    """Documents that show terms which the taxonomy no more has; those looked at are not found again."""
    rows = await db.fetch(
        f"""SELECT DISTINCT l.item_id, l.locale FROM document_terms l
            WHERE l.taxonomy_id = $1 AND NOT EXISTS (SELECT 1 FROM terms t WHERE t.id = l.term_id) LIMIT {limit}""",
        taxonomy_id,
    )
    return [Showing(row["item_id"], row["locale"]) for row in rows]


_THESE = "JOIN unnest($1::uuid[], $2::text[]) AS these(item_id, locale) USING (item_id, locale)"


def _columns(documents: Sequence[Showing]) -> tuple[list[UUID], list[str]]:
    return [document.item_id for document in documents], [document.locale for document in documents]


async def forget_what_is_gone(documents: Sequence[Showing]) -> None:
    await db.execute(
        """DELETE FROM document_terms l USING unnest($1::uuid[], $2::text[]) AS these(item_id, locale)
           WHERE l.item_id = these.item_id AND l.locale = these.locale
             AND NOT EXISTS (SELECT 1 FROM terms t WHERE t.id = l.term_id)""",
        *_columns(documents),
    )


async def of_documents(documents: Sequence[Showing]) -> list[tuple[Showing, Shown]]:
    sql = f"""SELECT l.item_id, l.locale, {_SHOWN.format(links="document_terms")} {_THESE}
              JOIN taxonomies x ON x.id = l.taxonomy_id ORDER BY x.key, l.position"""
    rows = await db.fetch(sql, *_columns(documents))
    return [(Showing(row["item_id"], row["locale"]), _shown(row)) for row in rows]

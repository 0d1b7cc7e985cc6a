"""Every query on which drafts (`item_terms`) and documents (`document_terms`) have which terms.

One row for each of them that has any: `terms` as they are given, and `under`, which is those, all above them and their
taxonomies. What has a term or one below it is therefore one look into an index, which knows how frequent each term is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from asyncpg import Record

from scaicms.features.taxonomies.records import Counts, Lost, Showing
from scaicms.infra import db
from scaicms.kit import json
from scaicms.kit.ids import parse_id

Links = Literal["item_terms", "document_terms"]
LINKS: tuple[Links, ...] = ("item_terms", "document_terms")
Known = dict[tuple[str, str], UUID]
"""Terms by the key of their taxonomy and a name, which is their slug or id."""

_SHOWN = """x.key AS taxonomy, t.id, t.slug, t.names
    FROM {links} l {these} CROSS JOIN LATERAL unnest(l.terms) WITH ORDINALITY AS u(id, place)
    JOIN terms t ON t.id = u.id JOIN taxonomies x ON x.id = t.taxonomy_id"""
_THESE = "JOIN unnest($1::uuid[], $2::text[]) AS these(item_id, locale) USING (item_id, locale)"


@dataclass(frozen=True, slots=True)
class TermCalled:
    """A term with its names."""

    taxonomy: str
    id: UUID
    slug: str
    names: Mapping[str, str]


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


async def taxonomy_keys(site_id: UUID) -> list[str]:
    return [row["key"] for row in await db.fetch("SELECT key FROM taxonomies WHERE site_id = $1", site_id)]


async def terms_of(item_id: UUID) -> dict[UUID, list[UUID]]:
    """Terms of a draft by taxonomy, in their order."""
    rows = await db.fetch(
        """SELECT t.taxonomy_id, t.id FROM item_terms l
           CROSS JOIN LATERAL unnest(l.terms) WITH ORDINALITY AS u(id, place) JOIN terms t ON t.id = u.id
           WHERE l.item_id = $1 ORDER BY u.place""",
        item_id,
    )
    found: dict[UUID, list[UUID]] = {}
    for row in rows:
        found.setdefault(row["taxonomy_id"], []).append(row["id"])
    return found


async def put_terms(site_id: UUID, item_id: UUID, terms: Sequence[UUID]) -> None:
    """Make these the only terms of a draft."""
    if not terms:
        await db.execute("DELETE FROM item_terms WHERE item_id = $1", item_id)
        return
    await db.execute(
        """INSERT INTO item_terms (item_id, site_id, terms, under)
           SELECT $1, $2, $3::uuid[], array_agg(DISTINCT above.id)
           FROM terms t CROSS JOIN LATERAL unnest(t.path || t.taxonomy_id) AS above(id) WHERE t.id = ANY($3)
           ON CONFLICT (item_id) DO UPDATE SET terms = excluded.terms, under = excluded.under""",
        item_id,
        site_id,
        list(terms),
    )


async def of_items(item_ids: Sequence[UUID]) -> list[Shown]:
    shown = _SHOWN.format(links="item_terms", these="")
    sql = f"SELECT l.item_id, {shown} WHERE l.item_id = ANY($1) ORDER BY x.key, u.place"
    return [_shown(row) for row in await db.fetch(sql, list(item_ids))]


async def of_ids(site_id: UUID, term_ids: Sequence[UUID]) -> list[TermCalled]:
    """These terms of a site, in no order."""
    rows = await db.fetch(
        """SELECT x.key AS taxonomy, t.id, t.slug, t.names FROM terms t JOIN taxonomies x ON x.id = t.taxonomy_id
           WHERE x.site_id = $1 AND t.id = ANY($2)""",
        site_id,
        list(term_ids),
    )
    return [TermCalled(row["taxonomy"], row["id"], row["slug"], json.loads(row["names"])) for row in rows]


async def publish(item_id: UUID, locale: str) -> None:
    await db.execute(
        """WITH none AS (DELETE FROM document_terms WHERE item_id = $1 AND locale = $2
                         AND NOT EXISTS (SELECT 1 FROM item_terms WHERE item_id = $1))
           INSERT INTO document_terms (item_id, locale, site_id, terms, under, stale)
           SELECT item_id, $2, site_id, terms, under, false FROM item_terms WHERE item_id = $1
           ON CONFLICT (item_id, locale) DO UPDATE SET terms = excluded.terms, under = excluded.under, stale = false
           WHERE document_terms.stale OR document_terms.terms <> excluded.terms
              OR document_terms.under <> excluded.under""",
        item_id,
        locale,
    )


async def settle(above: UUID, *, into: UUID | None = None) -> None:
    """Bring what has something below a term or taxonomy in step with the tree as it is now: what had the term has
    `into`, other terms that are gone go, and documents that showed one are stale.

    Call it once in a transaction: when PostgreSQL updates a row for the second time it also looks for the item, which
    somebody may hold who waits for this transaction.
    """
    for links in LINKS:
        stale = ", stale = l.stale OR n.terms <> l.terms" if links == "document_terms" else ""
        await db.execute(
            f"""UPDATE {links} l SET terms = n.terms, under = n.under {stale}
                FROM (SELECT h.id, m.terms,
                             ARRAY(SELECT DISTINCT up.id FROM terms t
                                   CROSS JOIN LATERAL unnest(t.path || t.taxonomy_id) AS up(id)
                                   WHERE t.id = ANY(m.terms) ORDER BY up.id) AS under
                      FROM {links} h CROSS JOIN LATERAL (
                          SELECT ARRAY(SELECT t.id FROM unnest(h.terms) WITH ORDINALITY AS u(id, place)
                                       JOIN terms t ON t.id = CASE u.id WHEN $1 THEN coalesce($2, u.id) ELSE u.id END
                                       GROUP BY t.id ORDER BY min(u.place)) AS terms) m
                      WHERE h.under @> ARRAY[$1::uuid]) n
                WHERE l.id = n.id AND (l.terms <> n.terms OR l.under <> n.under)""",
            above,
            into,
        )


async def lost_with(above: UUID, terms: int) -> Lost:
    """What would go with a term or taxonomy that so many `terms` are or are below."""
    row = await db.fetchrow(
        """SELECT (SELECT count(*) FROM item_terms WHERE under @> ARRAY[$1::uuid]) AS items,
                  (SELECT count(DISTINCT item_id) FROM document_terms WHERE under @> ARRAY[$1::uuid]) AS published""",
        above,
    )
    return Lost(terms=terms, **dict(row or {}))


COUNTED_ROWS = 5_000
"""The newest items or documents of a site among which terms are counted."""
FEW = 100
MAX_RARE = 200
"""On larger sites, rare terms are counted one by one: so many terms, up to so many rows of each."""
_LIVE = "WHERE (SELECT true FROM items i WHERE i.id = l.item_id AND i.deleted_at IS NULL)"


async def counts(site_id: UUID, term_ids: Sequence[UUID], *, drafts: bool) -> dict[UUID, Counts]:
    """Items of these terms: those outside the trash, or published ones. Counts are lower bounds where a site has more
    than `COUNTED_ROWS`, unless a term has few."""
    each = """SELECT id, count(*) AS number FROM (
                SELECT DISTINCT l.item_id, t.id FROM live l, unnest(l.{column}) AS t(id) WHERE t.id = ANY($1)) t
              GROUP BY id"""
    rows = await db.fetch(
        f"""WITH newest AS MATERIALIZED (
                SELECT l.item_id, l.terms, l.under FROM {"item_terms" if drafts else "document_terms"} l
                WHERE l.site_id = $2 ORDER BY l.item_id DESC LIMIT {COUNTED_ROWS + 1}),
            live AS (SELECT l.* FROM newest l {_LIVE if drafts else ""})
            SELECT a.id, (SELECT count(*) > {COUNTED_ROWS} FROM newest) AS is_cut,
                   coalesce(d.number, 0) AS direct, coalesce(u.number, 0) AS under
            FROM unnest($1::uuid[]) AS a(id)
            LEFT JOIN ({each.format(column="terms")}) d ON d.id = a.id
            LEFT JOIN ({each.format(column="under")}) u ON u.id = a.id""",
        list(term_ids),
        site_id,
        planned=True,
    )
    found = {row["id"]: Counts(row["direct"], row["under"], is_lower_bound=row["is_cut"]) for row in rows}
    rare = [term_id for term_id, one in found.items() if one.is_lower_bound and one.under < FEW]
    return {**found, **await _rare(rare[:MAX_RARE], drafts=drafts)}


async def _rare(term_ids: Sequence[UUID], *, drafts: bool) -> dict[UUID, Counts]:
    """Those of these terms that few items have, or one below them."""
    rows = await db.fetch(
        """SELECT a.id, c.direct, c.below FROM unnest($1::uuid[]) AS a(id), count_rare_term(a.id, $2, $3) c
           WHERE c.number <= $3""",
        list(term_ids),
        drafts,
        FEW,
    )
    return {row["id"]: Counts(row["direct"], row["below"]) for row in rows}


async def showing(term_id: UUID, after: int, limit: int) -> list[Showing]:
    """Documents that show a term."""
    rows = await db.fetch(
        f"""SELECT id, item_id, locale FROM document_terms WHERE terms @> ARRAY[$1::uuid] AND id > $2
            ORDER BY id LIMIT {limit}""",
        term_id,
        after,
    )
    return [Showing(**dict(row)) for row in rows]


async def stale(site_id: UUID, limit: int) -> list[Showing]:
    """Documents that show what they no more have; those looked at are not found again."""
    sql = f"SELECT id, item_id, locale FROM document_terms WHERE site_id = $1 AND stale ORDER BY id LIMIT {limit}"
    return [Showing(**dict(row)) for row in await db.fetch(sql, site_id)]


async def of_documents(documents: Sequence[Showing]) -> list[tuple[tuple[UUID, str], Shown]]:
    """What documents have now; they count as shown from here on."""
    items, locales = [d.item_id for d in documents], [d.locale for d in documents]
    await db.execute(
        """UPDATE document_terms l SET stale = false FROM unnest($1::uuid[], $2::text[]) AS these(item_id, locale)
           WHERE l.item_id = these.item_id AND l.locale = these.locale AND l.stale""",
        items,
        locales,
    )
    shown = _SHOWN.format(links="document_terms", these=_THESE)
    rows = await db.fetch(f"SELECT l.item_id, l.locale, {shown} ORDER BY x.key, u.place", items, locales)
    return [((row["item_id"], row["locale"]), _shown(row)) for row in rows]

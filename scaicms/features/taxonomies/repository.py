"""Every query on taxonomies and terms; each is of one site, or of one of its taxonomies."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from scaicms.features.taxonomies.models import TaxonomyRow
from scaicms.features.taxonomies.records import Term
from scaicms.features.taxonomies.schemas import ListTerms
from scaicms.infra import db
from scaicms.infra.lists import Key, RowList
from scaicms.kit import json
from scaicms.kit.ids import is_key

_COLUMNS = "t.id, t.taxonomy_id, t.parent_id, t.slug, t.names, t.path, t.position, t.created_at, t.updated_at"
_TERM = f"SELECT {_COLUMNS} FROM terms t"
_NONE = "'00000000-0000-0000-0000-000000000000'::uuid"
_PARENT = f"coalesce(t.parent_id, {_NONE})"
"""As the index has it."""


def to_term(row: Record) -> Term:
    values = {name: row[name] for name in Term.__slots__}
    return Term(**{**values, "names": json.loads(row["names"]), "path": tuple(row["path"])})


def taxonomies(site_id: UUID) -> RowList:
    """Taxonomies of a site by key."""
    return RowList(
        table="taxonomies", alias="x", columns="x.id", order=[Key("x.key", "text")], sort="key",
        found=["x.site_id = $1"], arguments=[site_id],
    )  # fmt: skip


async def find(site_id: UUID, key: str, *, lock: bool = False) -> TaxonomyRow | None:
    """`lock` orders whatever changes the tree of a taxonomy, until the transaction ends."""
    if not is_key(key):
        return None
    query = TaxonomyRow.filter(site_id=site_id, key=key)
    return await (query.select_for_update() if lock else query).first()


async def hold_names(site_id: UUID, *, to_change: bool) -> None:
    """Until the transaction ends, keep the site's terms as they are called and where they stand for those who write
    what has them, or keep those away in order to change that. A change therefore meets everything that it is about.
    """
    shared = "" if to_change else "_shared"
    await db.execute(f"SELECT pg_advisory_xact_lock{shared}(hashtextextended($1, 0))", f"terms\x1f{site_id}")


async def has_children(taxonomy_id: UUID) -> bool:
    sql = "SELECT EXISTS (SELECT 1 FROM terms WHERE taxonomy_id = $1 AND parent_id IS NOT NULL)"
    return bool(await db.fetchval(sql, taxonomy_id))


async def has_translations(taxonomy_id: UUID) -> bool:
    """Whether any term has more than one name. Which locale a single one is of does not matter: the site's default may
    have been another then."""
    sql = """SELECT EXISTS (SELECT 1 FROM terms
             WHERE taxonomy_id = $1 AND (SELECT count(*) FROM jsonb_object_keys(names)) > 1)"""
    return bool(await db.fetchval(sql, taxonomy_id))


async def locales_of(site_id: UUID) -> tuple[str, ...]:
    """The locales that the site has now."""
    sql = "SELECT l->>'code' AS code FROM sites, jsonb_array_elements(locales) l WHERE id = $1"
    return tuple(row["code"] for row in await db.fetch(sql, site_id))


async def find_term(taxonomy_id: UUID, term_id: UUID) -> Term | None:
    row = await db.fetchrow(f"{_TERM} WHERE t.taxonomy_id = $1 AND t.id = $2", taxonomy_id, term_id)
    return to_term(row) if row is not None else None


async def taken_slugs(taxonomy_id: UUID, candidates: Sequence[str]) -> set[str]:
    sql = "SELECT slug FROM terms WHERE taxonomy_id = $1 AND slug = ANY($2)"
    return {row["slug"] for row in await db.fetch(sql, taxonomy_id, list(candidates))}


async def named(taxonomy_id: UUID, names: Sequence[str]) -> dict[str, UUID]:
    """Terms that are called so in any locale, whatever the case and the separators; the oldest where there are more."""
    alike = "regexp_replace(lower({name}), '[\\s_-]+', '-', 'g')"
    rows = await db.fetch(
        f"""SELECT w.name, min(t.id::text)::uuid AS id
            FROM terms t CROSS JOIN LATERAL jsonb_each_text(t.names) AS n(locale, called)
            JOIN unnest($2::text[]) AS w(name) ON {alike.format(name="n.called")} = {alike.format(name="w.name")}
            WHERE t.taxonomy_id = $1 GROUP BY w.name""",
        taxonomy_id,
        list(names),
    )
    return {row["name"]: row["id"] for row in rows}


async def with_slugs(taxonomy_id: UUID, slugs: Sequence[str]) -> list[Term]:
    return [
        to_term(r)
        for r in await db.fetch(f"{_TERM} WHERE t.taxonomy_id = $1 AND t.slug = ANY($2)", taxonomy_id, list(slugs))
    ]


def terms(taxonomy_id: UUID, query: ListTerms, *, roots: bool) -> RowList:
    """Terms, siblings in their order; only those below none where `roots` and nothing else is asked for."""
    found, checked, arguments = ["t.taxonomy_id = $1"], list[str](), [taxonomy_id]
    if query.parent == "root" or (roots and query.parent is None):
        found.append(f"{_PARENT} = {_NONE}")
    elif query.parent is not None:
        arguments.append(query.parent)
        found.append(f"{_PARENT} = $2")
    words = []
    if query.q is not None:
        words.append("%" + query.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%")
        place = f"${len(arguments) + 1}"
        named = f"EXISTS (SELECT FROM jsonb_each_text(t.names) n WHERE n.value ILIKE {place})"
        checked.append(f"(t.slug ILIKE {place} OR {named})")
    return RowList(
        table="terms", alias="t", columns=_COLUMNS, found=found, checked=checked, arguments=[*arguments, *words],
        order=[Key(_PARENT, "uuid"), Key("t.position", "int"), Key("t.id", "uuid")], sort="position", is_public=True,
    )  # fmt: skip


async def below(term_ids: Sequence[UUID], *, levels: int, limit: int) -> list[Term]:
    """The terms below these, siblings in their order, down to so many levels in the whole tree; at most
    `limit`."""
    sql = f"""{_TERM} JOIN (SELECT id FROM terms t WHERE t.path && $1::uuid[] AND t.id <> ALL($1)
                              AND cardinality(t.path) <= $2 LIMIT {limit}) these USING (id)
              ORDER BY cardinality(t.path), t.position"""
    return [to_term(row) for row in await db.fetch(sql, list(term_ids), levels)]


async def has_more_below(term_ids: Sequence[UUID], *, levels: int, limit: int) -> bool:
    """Whether more than `limit` terms are below these."""
    sql = f"""SELECT count(*) > {limit} FROM (SELECT FROM terms t WHERE t.path && $1::uuid[] AND t.id <> ALL($1)
                                                AND cardinality(t.path) <= $2 LIMIT {limit + 1}) below"""
    return bool(await db.fetchval(sql, list(term_ids), levels))


async def height(term_id: UUID) -> int:
    """Levels from the root of the tree down to the deepest term below this one."""
    return int(await db.fetchval("SELECT max(cardinality(path)) FROM terms WHERE path @> ARRAY[$1::uuid]", term_id))


async def count(above: UUID) -> int:
    """How many terms a term and those below it are, or a taxonomy has."""
    sql = """SELECT (SELECT count(*) FROM terms WHERE path @> ARRAY[$1::uuid])
                  + (SELECT count(*) FROM terms WHERE taxonomy_id = $1)"""
    return int(await db.fetchval(sql, above))


async def siblings(taxonomy_id: UUID, parent_id: UUID | None) -> int:
    """How many terms are directly below the parent: the position of the next one."""
    sql = f"SELECT coalesce(max(position) + 1, 0) FROM terms WHERE {_directly_below(parent_id)}"
    return int(await db.fetchval(sql, taxonomy_id, parent_id))


async def shift(taxonomy_id: UUID, parent_id: UUID | None, start: int, by: int) -> None:
    """Move the terms directly below the parent on from `start` by so many places."""
    sql = f"UPDATE terms SET position = position + $4 WHERE {_directly_below(parent_id)} AND position >= $3"
    await db.execute(sql, taxonomy_id, parent_id, start, by)


def _directly_below(parent_id: UUID | None) -> str:
    # One of two forms that the index answers; IS NOT DISTINCT FROM would read the whole taxonomy.
    return "taxonomy_id = $1 AND " + ("parent_id = $2" if parent_id else "parent_id IS NULL AND $2::uuid IS NULL")


async def insert_term(term: Term) -> None:
    await db.execute(
        """INSERT INTO terms (id, taxonomy_id, parent_id, slug, names, path, position, created_at, updated_at)
           VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $8)""",
        term.id,
        term.taxonomy_id,
        term.parent_id,
        term.slug,
        json.dumps_text(term.names),
        list(term.path),
        term.position,
        term.created_at,
    )


async def rename(term: Term) -> None:
    await db.execute(
        "UPDATE terms SET slug = $2, names = $3::jsonb, updated_at = $4 WHERE id = $1",
        term.id,
        term.slug,
        json.dumps_text(term.names),
        term.updated_at,
    )


async def place(term_id: UUID, parent_id: UUID | None, position: int, now: datetime) -> None:
    await db.execute(
        "UPDATE terms SET parent_id = $2, position = $3, updated_at = $4 WHERE id = $1",
        term_id,
        parent_id,
        position,
        now,
    )


async def repath(term: Term, parent: Term | None) -> None:
    """Make the paths of a term and of what is below it go through its new parent."""
    sql = "UPDATE terms SET path = $2::uuid[] || path[$3:] WHERE path @> ARRAY[$1::uuid]"
    await db.execute(sql, term.id, list(parent.path if parent else ()), term.depth + 1)


async def adopt(source: Term, into: Term, start: int) -> None:
    """Put the terms directly below `source` after those below `into`, with all that is below them."""
    await db.execute(
        "UPDATE terms SET parent_id = $2, position = position + $3 WHERE parent_id = $1", source.id, into.id, start
    )
    sql = "UPDATE terms SET path = $2::uuid[] || path[$3:] WHERE path @> ARRAY[$1::uuid] AND id <> $1"
    await db.execute(sql, source.id, list(into.path), source.depth + 2)


async def remove(term_id: UUID) -> None:
    """The term with all that is below it."""
    await db.execute("DELETE FROM terms WHERE path @> ARRAY[$1::uuid]", term_id)

"""Every statement that puts back what an export has taken out."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from scaicms.features.content.exported import ItemLine
from scaicms.infra import db


async def site_of(item_id: UUID) -> UUID | None:
    """The site that has an item with this id, be it in its trash."""
    found: UUID | None = await db.fetchval("SELECT site_id FROM items WHERE id = $1", item_id)
    return found


async def types_of(site_id: UUID, item_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The types of those of these items that the site has, be it in its trash."""
    rows = await db.fetch(
        """SELECT i.id, t.key FROM items i JOIN content_types t ON t.id = i.type_id
           WHERE i.site_id = $1 AND i.id = ANY($2)""",
        site_id,
        item_ids,
    )
    return {UUID(bytes=row["id"].bytes): row["key"] for row in rows}


_POINTING = """
    SELECT r.item_id, r.field, e.data->r.field AS value FROM content_references r JOIN entries e USING (item_id)
    WHERE r.target_id = $1
    UNION ALL
    SELECT l.item_id, l.field, d.data->l.field FROM document_links l JOIN documents d USING (item_id, locale)
    WHERE l.target_id = $1"""


async def pointing(site_id: UUID, target_id: UUID) -> list[Record]:
    """By which fields of which types drafts and documents of a site point to an item."""
    return await db.fetch(
        f"""SELECT DISTINCT t.key AS type, p.field
            FROM ({_POINTING}) p JOIN items i ON i.id = p.item_id JOIN content_types t ON t.id = i.type_id
            WHERE i.site_id = $2 ORDER BY 1, 2""",
        target_id,
        site_id,
    )


async def values(type_id: UUID, field: str, target_id: UUID, *, after: UUID, limit: int) -> list[Record]:
    """What drafts and documents have in a field by which they point to an item, of the next items of a type."""
    return await db.fetch(
        f"""WITH p AS MATERIALIZED ({_POINTING}), next AS (
                SELECT DISTINCT i.id FROM p JOIN items i ON i.id = p.item_id
                WHERE i.type_id = $2 AND p.field = $3 AND i.id > $4 ORDER BY i.id LIMIT $5)
            SELECT p.item_id, p.value FROM p JOIN next ON next.id = p.item_id
            WHERE p.field = $3 AND p.value IS NOT NULL ORDER BY p.item_id""",
        target_id,
        type_id,
        field,
        after,
        limit,
    )


async def insert_item(site_id: UUID, type_id: UUID, line: ItemLine) -> None:
    await db.execute(
        """INSERT INTO items (id, site_id, type_id, slug, created_at, created_by, archived_at, stage)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        line.id,
        site_id,
        type_id,
        line.slug,
        line.created_at,
        line.created_by,
        line.archived_at,
        line.stage,
    )


async def dangling(site_id: UUID) -> int:
    """How many links of drafts lead to items or assets that this site has not, be they there in another."""
    return int(
        await db.fetchval(
            """SELECT count(*) FROM content_references r
               WHERE r.site_id = $1
                 AND NOT EXISTS (SELECT 1 FROM items i WHERE i.id = r.target_id AND i.site_id = r.site_id)
                 AND NOT (r.asset AND EXISTS (
                   SELECT 1 FROM assets a WHERE a.id = r.target_id AND a.site_id = r.site_id))""",
            site_id,
        )
    )

"""Every statement that puts back what an export has taken out."""

from uuid import UUID

from scaicms.features.content.exported import ItemLine
from scaicms.infra import db


async def site_of(item_id: UUID) -> UUID | None:
    """The site that has an item with this id, be it in its trash."""
    found: UUID | None = await db.fetchval("SELECT site_id FROM items WHERE id = $1", item_id)
    return found


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
    """How many links of drafts lead to items that this site has not, be they there in another."""
    return int(
        await db.fetchval(
            """SELECT count(*) FROM content_references r
               WHERE r.site_id = $1 AND NOT EXISTS (
                 SELECT 1 FROM items i WHERE i.id = r.target_id AND i.site_id = r.site_id)""",
            site_id,
        )
    )

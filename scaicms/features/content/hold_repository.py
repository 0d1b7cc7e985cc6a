"""Every query on legal holds."""

from uuid import UUID

from asyncpg import Record

from scaicms.infra import db

_COLUMNS = "item_id, reason, created_at, created_by"


async def find(site_id: UUID, item_id: UUID) -> Record | None:
    return await db.fetchrow(
        f"SELECT {_COLUMNS} FROM content_holds WHERE item_id = $1 AND site_id = $2", item_id, site_id
    )


async def put(site_id: UUID, item_id: UUID, reason: str, created_by: UUID | None) -> Record | None:
    """Hold an item; one that is held stays so since then, for the new reason."""
    return await db.fetchrow(
        f"""INSERT INTO content_holds (item_id, site_id, reason, created_at, created_by) VALUES ($1, $2, $3, now(), $4)
            ON CONFLICT (item_id) DO UPDATE SET reason = excluded.reason RETURNING {_COLUMNS}""",
        item_id,
        site_id,
        reason,
        created_by,
    )


async def remove(site_id: UUID, item_id: UUID) -> int:
    return await db.execute("DELETE FROM content_holds WHERE item_id = $1 AND site_id = $2", item_id, site_id)


async def keep_others_out() -> None:
    """Nobody holds or releases an item until this transaction ends."""
    await db.execute("LOCK TABLE content_holds IN SHARE MODE")

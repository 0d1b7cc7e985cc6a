"""Which item each source of earlier imports became."""

from dataclasses import dataclass
from uuid import UUID

from scaicms.infra import db


@dataclass(frozen=True, slots=True)
class Known:
    """A source seen before: the item it became and the digest of what was imported."""

    item_id: UUID
    digest: str


async def find(site_id: UUID, type_id: UUID, key: str) -> Known | None:
    row = await db.fetchrow(
        "SELECT item_id, digest FROM import_sources WHERE site_id = $1 AND type_id = $2 AND source_key = $3",
        site_id,
        type_id,
        key,
    )
    return Known(row["item_id"], row["digest"]) if row is not None else None


async def put(site_id: UUID, type_id: UUID, key: str, digest: str, item_id: UUID) -> None:
    await db.execute(
        """INSERT INTO import_sources (site_id, type_id, source_key, digest, item_id) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (site_id, type_id, source_key) DO UPDATE SET digest = $4, item_id = $5""",
        site_id,
        type_id,
        key,
        digest,
        item_id,
    )

"""Every query on content types; each is of one site."""

from collections.abc import Collection
from uuid import UUID

from scaicms.features.content_types.models import ContentTypeRow
from scaicms.infra import db
from scaicms.kit.ids import is_key


async def list_types(
    site_id: UUID, only: Collection[str] | None, *, limit: int, offset: int
) -> tuple[list[ContentTypeRow], int]:
    """Types by key; `only` these, or all for None."""
    rows = ContentTypeRow.filter(site_id=site_id)
    if only is not None:
        rows = rows.filter(key__in=list(only))
    return await rows.order_by("key").limit(limit).offset(offset), await rows.count()


async def find(site_id: UUID, key: str, *, lock: bool = False) -> ContentTypeRow | None:
    if not is_key(key):
        return None
    query = ContentTypeRow.filter(site_id=site_id, key=key)
    return await (query.select_for_update() if lock else query).first()


async def keys_with_addresses(site_id: UUID) -> list[str]:
    rows = ContentTypeRow.filter(site_id=site_id, url_pattern__isnull=False).order_by("id")
    return [str(key) for key in await rows.values_list("key", flat=True)]


async def has_items(site_id: UUID, type_id: UUID) -> bool:
    """Whether any item of the type is stored, trash included."""
    sql = "SELECT EXISTS (SELECT 1 FROM items WHERE site_id = $1 AND type_id = $2)"
    return bool(await db.fetchval(sql, site_id, type_id))

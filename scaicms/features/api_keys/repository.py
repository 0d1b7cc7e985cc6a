"""Every query on API keys."""

from uuid import UUID

from scaicms.features.api_keys.models import ApiKeyRow


async def list_keys(owner_id: UUID | None, *, limit: int, offset: int) -> tuple[list[ApiKeyRow], int]:
    """Keys of an owner, or everybody's for None; newest first."""
    query = ApiKeyRow.all() if owner_id is None else ApiKeyRow.filter(owner_id=owner_id)
    return await query.order_by("-id").limit(limit).offset(offset), await query.count()


async def find(key_id: UUID, owner_id: UUID | None, *, lock: bool = False) -> ApiKeyRow | None:
    query = ApiKeyRow.filter(id=key_id) if owner_id is None else ApiKeyRow.filter(id=key_id, owner_id=owner_id)
    return await (query.select_for_update() if lock else query).first()


async def find_by_digest(digest: str) -> ApiKeyRow | None:
    return await ApiKeyRow.filter(digest=digest).first()

"""What API keys may do, for who explains it."""

from typing import Any
from uuid import UUID

from scaicms.features.api_keys.service import ApiKeyService, within_key
from scaicms.features.roles.service import RoleService
from scaicms.features.users.service import UserService
from scaicms.infra.services import Services
from scaicms.kit.clock import unix_now
from scaicms.web.authority import HeldRule, Subject


async def api_key(services: Services, key_id: UUID | None, _: UUID | None) -> Subject | None:
    """A key with what it takes of its creator's rights."""
    row = await services.get(ApiKeyService).row(key_id) if key_id is not None else None
    if row is None:
        return None
    owner = await services.get(UserService).by_id(row.owner_id)
    barred = None
    if row.revoked_at is not None:
        barred = "The key was revoked."
    elif row.expires_at is not None and row.expires_at.timestamp() <= unix_now():
        barred = "The key has expired."
    elif owner is None or not owner.is_active:
        barred = "The key's creator is deleted or deactivated."
    codes: Any = row.permissions  # JSON columns, written by ApiKeyService
    site_ids: Any = row.site_ids
    sites = frozenset(map(UUID, site_ids)) if site_ids is not None else None
    limits = [f"The key names {', '.join(codes)}."]
    if sites is not None:
        limits.append(f"The key is limited to the sites {', '.join(map(str, sorted(sites)))}.")
    held = [
        HeldRule(rule, whole.role, whole.group_id)
        for whole in await services.get(RoleService).held_rules(row.owner_id)
        for rule in within_key([whole.rule], codes, sites)
    ]
    return Subject("api_key", row.id, row.owner_id, tuple(held), barred, tuple(limits))

"""What users may do, for who explains it."""

from uuid import UUID

from scaicms.features.roles.service import RoleService
from scaicms.features.users.service import UserService
from scaicms.infra.services import Services
from scaicms.web.authority import Subject


async def user(services: Services, user_id: UUID | None, _: UUID | None) -> Subject | None:
    """A user with what their roles grant, in person and through groups."""
    row = await services.get(UserService).by_id(user_id) if user_id is not None else None
    if row is None:
        return None
    held = tuple(await services.get(RoleService).held_rules(row.id))
    barred = None if row.is_active else "The account is deactivated."
    return Subject("user", row.id, row.id, held, barred)

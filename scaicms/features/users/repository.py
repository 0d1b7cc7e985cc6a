"""Every query on users."""

from uuid import UUID

from tortoise.expressions import Q

from scaicms.features.users.models import UserRow
from scaicms.features.users.schemas import ListUsers
from scaicms.infra import db


async def find(user_id: UUID, *, lock: bool = False) -> UserRow | None:
    query = UserRow.filter(id=user_id)
    return await (query.select_for_update() if lock else query).first()


async def find_by_email(email: str) -> UserRow | None:
    return await UserRow.filter(email=email).first()


async def list_users(query: ListUsers) -> tuple[list[UserRow], int]:
    rows = UserRow.all()
    if query.q is not None:
        rows = rows.filter(Q(name__icontains=query.q) | Q(email__icontains=query.q))
    if query.is_active is not None:
        rows = rows.filter(is_active=query.is_active)
    if query.role is not None:
        having = await db.fetch(
            "SELECT DISTINCT a.user_id FROM role_assignments a JOIN roles r ON r.id = a.role_id WHERE r.key = $1",
            query.role,
        )
        rows = rows.filter(id__in=[row["user_id"] for row in having])
    return await rows.order_by("email").limit(query.page_size).offset(query.offset), await rows.count()


async def remove(user: UserRow) -> None:
    await db.execute("DELETE FROM role_assignments WHERE user_id = $1", user.id)
    await user.delete()

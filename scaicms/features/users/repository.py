"""Every query on users."""

from uuid import UUID

from tortoise.expressions import Q

from scaicms.features.users.models import InvitationRow, UserRow
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


async def is_invited(user_id: UUID) -> bool:
    """Whether the account waits for its owner to accept, in time or too late."""
    return await InvitationRow.filter(user_id=user_id, accepted_at__isnull=True).exists()


async def find_invitation(invitation_id: UUID) -> InvitationRow | None:
    return await InvitationRow.filter(id=invitation_id).first()


async def usable_invitation(digest: str) -> InvitationRow | None:
    """The invitation whose token has this digest, unless it was accepted or has expired."""
    row = await db.fetchrow(
        "SELECT id FROM invitations WHERE digest = $1 AND accepted_at IS NULL AND expires_at > now()", digest
    )
    return await find_invitation(row["id"]) if row is not None else None


async def replace_invitation(row: InvitationRow) -> None:
    """The newest invitation of a user is the only one."""
    await InvitationRow.filter(user_id=row.user_id).delete()
    await row.save(force_create=True)


async def accept_invitation(invitation_id: UUID) -> None:
    await db.execute("UPDATE invitations SET accepted_at = now() WHERE id = $1", invitation_id)

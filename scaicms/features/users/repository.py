"""Every query on users."""

from collections.abc import Sequence
from uuid import UUID

from scaicms.features.users.models import InvitationRow, UserRow
from scaicms.features.users.schemas import ListUsers, UserGroup, UserRole
from scaicms.infra import db


async def find(user_id: UUID, *, lock: bool = False) -> UserRow | None:
    query = UserRow.filter(id=user_id)
    return await (query.select_for_update() if lock else query).first()


async def find_by_email(email: str) -> UserRow | None:
    return await UserRow.filter(email=email).first()


_HAVING_ROLE = """id IN (SELECT u.user_id FROM user_roles u JOIN roles r ON r.id = u.role_id
    WHERE r.key = {} OR r.id::text = {})"""
_IN_GROUP = """id IN (SELECT m.user_id FROM group_members m JOIN groups g ON g.id = m.group_id
    WHERE g.key = {} OR g.id::text = {})"""


async def list_users(query: ListUsers) -> tuple[list[UserRow], int]:
    """Users by address."""
    conditions, arguments = ["true"], []
    for value, condition in (
        (query.q, "(strpos(lower(name), lower({})) > 0 OR strpos(lower(email), lower({})) > 0)"),
        (query.is_active, "is_active = {}"),
        (query.role, _HAVING_ROLE),
        (query.group, _IN_GROUP),
    ):
        if value is not None:
            arguments.append(value)
            place = f"${len(arguments)}"
            conditions.append(condition.format(*[place] * condition.count("{}")))
    where = " AND ".join(conditions)
    found = await db.fetch(
        f"SELECT id FROM users WHERE {where} ORDER BY email LIMIT {query.page_size} OFFSET {query.offset}", *arguments
    )
    total = await db.fetchval(f"SELECT count(*) FROM users WHERE {where}", *arguments)
    return await UserRow.filter(id__in=[row["id"] for row in found]).order_by("email"), total


async def roles_of(user_ids: Sequence[UUID]) -> list[tuple[UUID, UserRole]]:
    rows = await db.fetch(
        """SELECT u.user_id, r.key AS role, u.site_id, u.group_id FROM user_roles u JOIN roles r ON r.id = u.role_id
           WHERE u.user_id = ANY($1) ORDER BY r.key, u.site_id NULLS FIRST, u.group_id NULLS FIRST""",
        list(user_ids),
    )
    return [
        (row["user_id"], UserRole(role=row["role"], site_id=row["site_id"], group_id=row["group_id"])) for row in rows
    ]


async def groups_of(user_ids: Sequence[UUID]) -> list[tuple[UUID, UserGroup]]:
    rows = await db.fetch(
        """SELECT m.user_id, g.id, g.key, g.name FROM group_members m JOIN groups g ON g.id = m.group_id
           WHERE m.user_id = ANY($1) ORDER BY g.key""",
        list(user_ids),
    )
    return [(row["user_id"], UserGroup(id=row["id"], key=row["key"], name=row["name"])) for row in rows]


async def remove(user: UserRow) -> None:
    """Take a user away, with what only a user can have."""
    for sql in (
        "DELETE FROM role_assignments WHERE user_id = $1",
        "DELETE FROM group_members WHERE user_id = $1",
        "UPDATE api_keys SET revoked_at = now() WHERE owner_id = $1 AND revoked_at IS NULL",
    ):
        await db.execute(sql, user.id)
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

"""Every query on users."""

from collections.abc import Sequence
from uuid import UUID

from scaicms.features.users.models import InvitationRow, UserRow
from scaicms.features.users.schemas import ListUsers, UserGroup, UserRole
from scaicms.infra import db
from scaicms.infra.lists import Candidates, Key, RowList
from scaicms.kit.ids import parse_id


async def find(user_id: UUID, *, lock: bool = False) -> UserRow | None:
    query = UserRow.filter(id=user_id)
    return await (query.select_for_update() if lock else query).first()


async def find_by_email(email: str) -> UserRow | None:
    return await UserRow.filter(email=email).first()


_ROLE_HOLDERS = (
    "SELECT h.user_id AS id FROM user_roles h WHERE h.role_id = (SELECT r.id FROM roles r WHERE r.{0} = {1})"
)
_MEMBERS = (
    "SELECT h.user_id AS id FROM group_members h WHERE h.group_id = (SELECT g.id FROM groups g WHERE g.{0} = {1})"
)


def users(query: ListUsers) -> RowList:
    """Users by address."""
    checked, arguments, candidates = list[str](), list[object](), None
    for value, condition in (
        (query.q, "(strpos(lower(u.name), lower({0})) > 0 OR strpos(lower(u.email), lower({0})) > 0)"),
        (query.is_active, "u.is_active = {0}"),
    ):
        if value is not None:
            arguments.append(value)
            checked.append(condition.format(f"${len(arguments)}"))
    for named, those in ((query.role, _ROLE_HOLDERS), (query.group, _MEMBERS)):
        if named is not None:
            known = parse_id(named)
            by, given = "key" if known is None else "id", known or named
            arguments.append(given)
            one = those.format(by, f"${len(arguments)}")
            checked.append(f"(SELECT true FROM ({one}) held WHERE held.id = u.id LIMIT 1) IS TRUE")
            candidates = Candidates(those.format(by, "$1"), [given])
    return RowList(
        table="users", alias="u", columns="u.id", order=[Key("u.email", "text")], sort="email", checked=checked,
        arguments=arguments, candidates=candidates,
    )  # fmt: skip


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

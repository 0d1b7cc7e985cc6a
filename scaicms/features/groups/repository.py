"""Every query on groups, their members and roles."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from scaicms.features.groups.models import GroupMemberRow, GroupRoleRow, GroupRow
from scaicms.features.groups.schemas import ListGroups
from scaicms.infra import db
from scaicms.infra.lists import Candidates, Key, RowList, look_up
from scaicms.kit.ids import is_key, new_id, parse_id


def groups(query: ListGroups) -> RowList:
    """Groups by key."""
    checked = "strpos(lower(g.name), lower($1)) > 0 OR strpos(g.key, lower($1)) > 0"
    return RowList(
        table="groups", alias="g", columns="g.id", order=[Key("g.key", "text")], sort="key",
        checked=[] if query.q is None else [f"({checked})"], arguments=[] if query.q is None else [query.q],
    )  # fmt: skip


async def find(id_or_key: str, *, lock: bool = False) -> GroupRow | None:
    if not is_key(id_or_key):
        return None
    group_id = parse_id(id_or_key)
    query = GroupRow.filter(id=group_id) if group_id is not None else GroupRow.filter(key=id_or_key)
    return await (query.select_for_update() if lock else query).first()


async def remove(group: GroupRow) -> None:
    await GroupMemberRow.filter(group_id=group.id).delete()
    await GroupRoleRow.filter(group_id=group.id).delete()
    await group.delete()


async def counts(group_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Members of each group; groups without any are absent."""
    rows = await db.fetch(
        "SELECT group_id, count(*) AS members FROM group_members WHERE group_id = ANY($1) GROUP BY 1", list(group_ids)
    )
    return {row["group_id"]: row["members"] for row in rows}


async def roles(group_ids: Sequence[UUID]) -> list[Record]:
    """Roles of these groups: group_id, role_id, site_id and the role's key."""
    return await db.fetch(
        """SELECT a.group_id, a.role_id, a.site_id, r.key FROM group_roles a JOIN roles r ON r.id = a.role_id
           WHERE a.group_id = ANY($1) ORDER BY r.key, a.site_id NULLS FIRST""",
        list(group_ids),
    )


async def replace_roles(group_id: UUID, places: Sequence[tuple[UUID, UUID | None]]) -> None:
    await GroupRoleRow.filter(group_id=group_id).delete()
    rows = [GroupRoleRow(id=new_id(), group_id=group_id, role_id=role, site_id=site) for role, site in places]
    await GroupRoleRow.bulk_create(rows)


def members(group_id: UUID) -> RowList:
    """Members of a group by address."""
    return RowList(
        table="users", alias="u", columns="u.id, u.email, u.name, u.is_active, m.created_at AS joined_at",
        order=[Key("u.email", "text")], sort="email", arguments=[group_id],
        joins=look_up("group_members", "m", "m.group_id = $1 AND m.user_id = u.id"), checked=["m.id IS NOT NULL"],
        candidates=Candidates("SELECT user_id AS id FROM group_members WHERE group_id = $1", [group_id]),
    )  # fmt: skip


async def existing_users(user_ids: Sequence[UUID]) -> set[UUID]:
    """Of these, the users that exist; they stay until the transaction ends."""
    rows = await db.fetch("SELECT id FROM users WHERE id = ANY($1) ORDER BY id FOR KEY SHARE", list(user_ids))
    return {row["id"] for row in rows}


async def add_members(group_id: UUID, user_ids: Sequence[UUID]) -> list[UUID]:
    """Those who were not in the group before."""
    rows = await db.fetch(
        """INSERT INTO group_members (id, group_id, user_id, created_at)
           SELECT m.id, $1, m.user_id, now() FROM unnest($2::uuid[], $3::uuid[]) AS m(id, user_id)
           ON CONFLICT (group_id, user_id) DO NOTHING RETURNING user_id""",
        group_id,
        [new_id() for _ in user_ids],
        list(user_ids),
    )
    return [row["user_id"] for row in rows]


async def remove_member(group_id: UUID, user_id: UUID) -> bool:
    sql = "DELETE FROM group_members WHERE group_id = $1 AND user_id = $2"
    return bool(await db.execute(sql, group_id, user_id))

"""Every query on roles, their grants and assignments."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from scaicms.features.roles.models import RoleAssignmentRow, RoleGrantRow, RoleRow
from scaicms.infra import db
from scaicms.infra.lists import Key, RowList
from scaicms.kit import json
from scaicms.kit.ids import is_key, parse_id
from scaicms.kit.principal import EVERYTHING, Narrowing, Rule
from scaicms.web.authority import HeldRule

ROLES = RowList(table="roles", alias="r", columns="r.id", order=[Key("r.key", "text")], sort="key")


async def find(id_or_key: str, *, lock: bool = False) -> RoleRow | None:
    if not is_key(id_or_key):
        return None
    role_id = parse_id(id_or_key)
    query = RoleRow.filter(id=role_id) if role_id is not None else RoleRow.filter(key=id_or_key)
    return await (query.select_for_update() if lock else query).first()


async def grants(role_id: UUID) -> list[RoleGrantRow]:
    return await RoleGrantRow.filter(role_id=role_id).order_by("permission", "id")


async def replace_grants(role_id: UUID, rows: Sequence[RoleGrantRow]) -> None:
    await RoleGrantRow.filter(role_id=role_id).delete()
    await RoleGrantRow.bulk_create(rows)


async def remove_role(role: RoleRow) -> None:
    await RoleAssignmentRow.filter(role_id=role.id).delete()
    await db.execute("DELETE FROM group_roles WHERE role_id = $1", role.id)
    await RoleGrantRow.filter(role_id=role.id).delete()
    await role.delete()


async def forget_site(site_id: UUID) -> None:
    """Take away what was given at a site that is no more."""
    await RoleAssignmentRow.filter(site_id=site_id).delete()
    await db.execute("DELETE FROM group_roles WHERE site_id = $1", site_id)


async def assignments(user_id: UUID) -> list[tuple[str, UUID | None]]:
    """Roles that the user was given in person."""
    rows = await db.fetch(
        """SELECT r.key, a.site_id FROM role_assignments a JOIN roles r ON r.id = a.role_id
           WHERE a.user_id = $1 ORDER BY r.key, a.site_id""",
        user_id,
    )
    return [(row["key"], row["site_id"]) for row in rows]


async def all_assignments(user_id: UUID) -> list[tuple[str, UUID | None]]:
    """Roles that the user has, in person or through a group."""
    rows = await db.fetch(
        """SELECT DISTINCT r.key, u.site_id FROM user_roles u JOIN roles r ON r.id = u.role_id
           WHERE u.user_id = $1 ORDER BY r.key, u.site_id""",
        user_id,
    )
    return [(row["key"], row["site_id"]) for row in rows]


async def replace_assignments(user_id: UUID, rows: Sequence[RoleAssignmentRow]) -> None:
    await RoleAssignmentRow.filter(user_id=user_id).delete()
    await RoleAssignmentRow.bulk_create(rows)


async def user_exists(user_id: UUID) -> bool:
    return bool(await db.fetchval("SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)", user_id))


async def existing_sites(site_ids: Sequence[UUID]) -> set[UUID]:
    return {row["id"] for row in await db.fetch("SELECT id FROM sites WHERE id = ANY($1)", list(site_ids))}


_GRANT = "g.permission, g.content_types, g.locales, g.fields, g.own_only"


async def rules_of_user(user_id: UUID) -> list[HeldRule]:
    """All that a user's roles grant, with where each comes from."""
    rows = await db.fetch(
        f"""SELECT {_GRANT}, u.site_id, r.key, u.group_id
            FROM user_roles u JOIN roles r ON r.id = u.role_id JOIN role_grants g ON g.role_id = u.role_id
            WHERE u.user_id = $1 ORDER BY r.key, u.site_id, g.permission""",
        user_id,
    )
    return [
        HeldRule(Rule(row["permission"], row["site_id"], _narrowing(row)), row["key"], row["group_id"]) for row in rows
    ]


async def rules_of_roles(given: Sequence[tuple[UUID, UUID | None]]) -> list[Rule]:
    """What roles (by id) grant where they are given."""
    rows = await db.fetch(
        f"""SELECT {_GRANT}, a.site_id
            FROM unnest($1::uuid[], $2::uuid[]) AS a(role_id, site_id) JOIN role_grants g ON g.role_id = a.role_id""",
        [role_id for role_id, _ in given],
        [site_id for _, site_id in given],
    )
    return [Rule(row["permission"], row["site_id"], _narrowing(row)) for row in rows]


async def rules_of_role(key: str, site_id: UUID | None) -> list[Rule]:
    """What a role grants, given at a site or everywhere."""
    rows = await db.fetch(
        f"SELECT {_GRANT} FROM role_grants g JOIN roles r ON r.id = g.role_id WHERE r.key = $1 ORDER BY 1", key
    )
    return [Rule(row["permission"], site_id, _narrowing(row)) for row in rows]


def _narrowing(row: Record) -> Narrowing:
    types, locales, names = (_keys(row[column]) for column in ("content_types", "locales", "fields"))
    return Narrowing(types, locales, names, row["own_only"])


def _keys(column: str | None) -> frozenset[str] | None:
    return None if column is None else frozenset(json.loads(column))


async def lock_administrators() -> None:
    """One change of who administers at a time, so that two cannot each remove the other."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtextextended('administrators', 0))")


async def active_administrators() -> int:
    """People who are active and may do everything everywhere."""
    return int(
        await db.fetchval(
            """SELECT count(DISTINCT u.id) FROM users u
               JOIN user_roles a ON a.user_id = u.id AND a.site_id IS NULL
               JOIN role_grants g ON g.role_id = a.role_id AND g.permission = $1
               WHERE u.is_active""",
            EVERYTHING,
        )
    )

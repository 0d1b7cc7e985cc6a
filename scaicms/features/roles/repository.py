"""Every query on roles, their grants and assignments."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from scaicms.features.roles.models import RoleAssignmentRow, RoleGrantRow, RoleRow
from scaicms.infra import db
from scaicms.kit.ids import is_key, parse_id
from scaicms.kit.principal import EVERYTHING, Grants


async def list_roles(*, limit: int, offset: int) -> tuple[list[RoleRow], int]:
    return await RoleRow.all().order_by("key").limit(limit).offset(offset), await RoleRow.all().count()


async def find(id_or_key: str, *, lock: bool = False) -> RoleRow | None:
    if not is_key(id_or_key):
        return None
    role_id = parse_id(id_or_key)
    query = RoleRow.filter(id=role_id) if role_id is not None else RoleRow.filter(key=id_or_key)
    return await (query.select_for_update() if lock else query).first()


async def grants(role_id: UUID) -> list[RoleGrantRow]:
    return await RoleGrantRow.filter(role_id=role_id).order_by("permission")


async def replace_grants(role_id: UUID, rows: Sequence[RoleGrantRow]) -> None:
    await RoleGrantRow.filter(role_id=role_id).delete()
    await RoleGrantRow.bulk_create(rows)


async def remove_role(role: RoleRow) -> None:
    await RoleAssignmentRow.filter(role_id=role.id).delete()
    await RoleGrantRow.filter(role_id=role.id).delete()
    await role.delete()


async def assignments(user_id: UUID) -> list[tuple[str, UUID | None]]:
    rows = await db.fetch(
        """SELECT r.key, a.site_id FROM role_assignments a JOIN roles r ON r.id = a.role_id
           WHERE a.user_id = $1 ORDER BY r.key, a.site_id""",
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


async def grants_of_user(user_id: UUID) -> Grants:
    rows = await db.fetch(
        """SELECT DISTINCT g.permission, a.site_id
           FROM role_assignments a JOIN role_grants g ON g.role_id = a.role_id WHERE a.user_id = $1""",
        user_id,
    )
    everywhere = frozenset(row["permission"] for row in rows if row["site_id"] is None)
    by_site: dict[UUID, set[str]] = defaultdict(set)
    for row in rows:
        if row["site_id"] is not None:
            by_site[row["site_id"]].add(row["permission"])
    return Grants(everywhere, {site_id: frozenset(held) for site_id, held in by_site.items()})


async def grants_of_role(key: str) -> frozenset[str]:
    rows = await db.fetch(
        "SELECT g.permission FROM role_grants g JOIN roles r ON r.id = g.role_id WHERE r.key = $1", key
    )
    return frozenset(row["permission"] for row in rows)


async def lock_administrators() -> None:
    """One change of who administers at a time, so that two cannot each remove the other."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtextextended('administrators', 0))")


async def active_administrators() -> int:
    """People who are active and may do everything everywhere."""
    return int(
        await db.fetchval(
            """SELECT count(DISTINCT u.id) FROM users u
               JOIN role_assignments a ON a.user_id = u.id AND a.site_id IS NULL
               JOIN role_grants g ON g.role_id = a.role_id AND g.permission = $1
               WHERE u.is_active""",
            EVERYTHING,
        )
    )

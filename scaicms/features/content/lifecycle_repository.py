"""Every query on the trash and the archive."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from scaicms.features.content.editing_schemas import ListTrash
from scaicms.features.content.paths import Bound
from scaicms.features.content.reaching import reached
from scaicms.infra import db
from scaicms.infra.lists import Key, RowList
from scaicms.kit.principal import Scope

_ENTRIES = """
SELECT i.id, i.site_id, i.type_id, i.stage, i.slug, i.created_at, i.created_by, i.archived_at, i.deleted_at, e.locale,
       e.data, e.version, e.published_version, e.updated_at, e.updated_by, d.published_at, NULL AS publish_at,
       NULL AS unpublish_at, ARRAY(SELECT l.locale FROM entries l WHERE l.item_id = i.id ORDER BY l.locale) AS locales
FROM items i JOIN entries e ON e.item_id = i.id LEFT JOIN documents d ON d.item_id = i.id AND d.locale = e.locale
"""


async def hold_type_of(site_id: UUID, item_id: UUID) -> Record | None:
    """Key and version of the type of an item, in the trash or not; see `repository.hold_type_of`."""
    return await db.fetchrow(
        """SELECT h.type_key AS key, h.type_version AS version
           FROM items i CROSS JOIN LATERAL hold_content_type(i.type_id) h WHERE i.id = $1 AND i.site_id = $2""",
        item_id,
        site_id,
    )


async def entries(site_id: UUID, item_id: UUID, locale: str) -> list[Record]:
    """An item in all of its locales, `locale` first, in the trash or not; held until the transaction ends."""
    sql = f"{_ENTRIES} WHERE i.id = $1 AND i.site_id = $2 ORDER BY e.locale = $3 DESC, e.locale FOR UPDATE OF i, e"
    return await db.fetch(sql, item_id, site_id, locale)


async def take_out_of_trash(site_id: UUID, item_id: UUID, slug: str) -> None:
    sql = "UPDATE items SET deleted_at = NULL, deleted_by = NULL, slug = $3 WHERE id = $1 AND site_id = $2"
    await db.execute(sql, item_id, site_id, slug)


async def set_archived(site_id: UUID, item_id: UUID, *, archived: bool) -> None:
    moment = "now()" if archived else "NULL"
    await db.execute(f"UPDATE items SET archived_at = {moment} WHERE id = $1 AND site_id = $2", item_id, site_id)


def trash(site_id: UUID, scopes: Sequence[Scope | None], query: ListTrash) -> RowList:
    """What lies in the trash within all of these scopes, the latest first."""
    bound = Bound(1)
    checked = [reached(scope, bound) for scope in scopes if scope is not None]
    if query.type is not None:
        checked.append(f"t.key = {bound.bind(query.type)}")
    return RowList(
        table="items", alias="i", joins="LEFT JOIN content_types t ON t.id = i.type_id",
        columns="""i.id, t.key AS type, i.slug, i.created_at, i.created_by, i.deleted_at, i.deleted_by,
                   ARRAY(SELECT e.locale FROM entries e WHERE e.item_id = i.id ORDER BY e.locale) AS locales""",
        found=["i.site_id = $1", "i.deleted_at IS NOT NULL"], checked=checked, arguments=[site_id, *bound.arguments],
        order=[Key("i.deleted_at", "timestamptz"), Key("i.id", "uuid")], descending=True, sort="-deleted_at",
    )  # fmt: skip


async def expired(days: int, limit: int) -> list[Record]:
    """Items of any site that have been in the trash for longer, held until the transaction ends. What somebody else
    holds is left for the next time, and what is under a legal hold for good."""
    return await db.fetch(
        """SELECT i.id, i.site_id, i.slug, t.key AS type FROM items i JOIN content_types t ON t.id = i.type_id
           WHERE i.deleted_at < now() - $1 * interval '1 day'
             AND NOT EXISTS (SELECT 1 FROM content_holds h WHERE h.item_id = i.id)
           ORDER BY i.id LIMIT $2 FOR UPDATE OF i SKIP LOCKED""",
        days,
        limit,
    )

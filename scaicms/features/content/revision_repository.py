"""Every query on revisions. They are written by triggers (ADR 0020); here they are read."""

from asyncpg import Record

from scaicms.features.content.records import Item
from scaicms.infra import db
from scaicms.infra.lists import Key, RowList

_ABOUT = "r.number, r.locale, r.kind, r.source, r.slug, r.terms, r.created_at, r.created_by"
_OF = "r.item_id = $1 AND r.locale = $2 AND r.site_id = $3"


async def announce(change: str) -> None:
    """What revisions of this transaction are from here on: `imported`, `restored:7:en`; as usual for an empty text."""
    await db.execute("SELECT set_config('scaicms.change', $1, true)", change)


def revisions(item: Item) -> RowList:
    """The newest first, without their data."""
    return RowList(
        table="revisions", alias="r", columns=_ABOUT, found=[_OF], arguments=[item.id, item.locale, item.site_id],
        order=[Key("r.number", "int")], descending=True, sort="-number",
    )  # fmt: skip


async def find(item: Item, number: int) -> Record | None:
    sql = f"SELECT {_ABOUT}, r.data FROM revisions r WHERE {_OF} AND r.number = $4"
    return await db.fetchrow(sql, item.id, item.locale, item.site_id, number)


async def find_before(item: Item, number: int) -> Record | None:
    """The one before, of those that are kept."""
    sql = f"SELECT {_ABOUT}, r.data FROM revisions r WHERE {_OF} AND r.number < $4 ORDER BY r.number DESC LIMIT 1"
    return await db.fetchrow(sql, item.id, item.locale, item.site_id, number)

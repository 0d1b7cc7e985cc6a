"""Every statement on relations of published documents."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from scaicms.features.content.records import Link
from scaicms.features.taxonomies.service import Showing
from scaicms.infra import db

# That what the link `l` leads to is not there for readers; an asset only where it is one of the item's site.
_NOT_THERE = """CASE WHEN l.asset
    THEN NOT EXISTS (SELECT 1 FROM assets a JOIN items i ON i.site_id = a.site_id
                     WHERE a.id = l.target_id AND i.id = l.item_id)
    ELSE NOT EXISTS (SELECT 1 FROM documents d WHERE d.item_id = l.target_id) END"""
_NAME = "hashtextextended('link:' || {}, 0)"


async def put(item_id: UUID, locale: str, links: Sequence[Link]) -> None:
    """What a document points to from here on."""
    await db.execute("DELETE FROM document_links WHERE item_id = $1 AND locale = $2", item_id, locale)
    if links:
        await db.execute(
            """INSERT INTO document_links (item_id, locale, field, target_id, asset)
               SELECT $1, $2, l.field, l.target, l.asset
               FROM unnest($3::text[], $4::uuid[], $5::boolean[]) AS l(field, target, asset)""",
            item_id,
            locale,
            [link.field for link in links],
            [link.target for link in links],
            [link.asset for link in links],
        )


async def keep_published(item_ids: Sequence[UUID]) -> None:
    """What is published of these items stays so until this transaction ends."""
    await db.execute("SELECT 1 FROM documents WHERE item_id = ANY($1) ORDER BY item_id, id FOR KEY SHARE", item_ids)


async def hold(item_id: UUID) -> bool:
    """Hold the name of an item that is about to be published, or not any more, until this transaction ends; whether
    any document points to it by then."""
    return bool(await db.fetchval("SELECT hold_link_target($1)", item_id))


async def wait_for_pending(item_id: UUID) -> None:
    """Let those finish who are publishing what an item points to. In a transaction that holds nothing else."""
    await db.execute(
        f"""SELECT pg_advisory_xact_lock_shared({_NAME.format("t.target_id")})
            FROM (SELECT DISTINCT l.target_id FROM document_links l WHERE l.item_id = $1 AND NOT l.asset
                  AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.item_id = l.target_id) ORDER BY l.target_id) t""",
        item_id,
    )


async def own_documents(item_id: UUID) -> list[Showing]:
    rows = await db.fetch("SELECT 0::bigint AS id, item_id, locale FROM documents WHERE item_id = $1", item_id)
    return [Showing(*row) for row in rows]


async def pointing(target_id: UUID, *, after: int, limit: int) -> list[Showing]:
    """Documents that point to an item or asset, in the order of their links, of which `id` is one."""
    rows = await db.fetch(
        """SELECT id, item_id, locale FROM document_links WHERE target_id = $1 AND id > $2 ORDER BY id LIMIT $3""",
        target_id,
        after,
        limit,
    )
    return [Showing(*row) for row in rows]


async def pending(documents: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], list[tuple[str, UUID]]]:
    """What these documents, by item and locale, point to that is not published now, or is a deleted asset: field and
    target."""
    rows = await db.fetch(
        f"""SELECT l.item_id, l.locale, l.field, l.target_id FROM document_links l
           JOIN unnest($1::uuid[], $2::text[]) AS these(item_id, locale) USING (item_id, locale)
           WHERE {_NOT_THERE} ORDER BY l.id""",
        [item_id for item_id, _ in documents],
        [locale for _, locale in documents],
    )
    found: dict[tuple[UUID, str], list[tuple[str, UUID]]] = {}
    for row in rows:
        found.setdefault((row["item_id"], row["locale"]), []).append((row["field"], row["target_id"]))
    return found


async def needed(site_id: UUID, item_id: UUID, *, limit: int) -> list[UUID]:
    """What the draft of an item points to, and what those point to, as far as it is not published; without itself."""
    rows = await db.fetch(
        """WITH RECURSIVE needed(id) AS (
             SELECT $2::uuid
             UNION
             SELECT r.target_id FROM needed n JOIN content_references r ON r.item_id = n.id AND r.site_id = $1
             JOIN items i ON i.id = r.target_id AND i.site_id = $1 AND i.deleted_at IS NULL
             WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.item_id = r.target_id))
           SELECT id FROM needed WHERE id <> $2 LIMIT $3""",
        site_id,
        item_id,
        limit,
    )
    return [row["id"] for row in rows]


async def of_type(type_id: UUID, *, after: int, limit: int) -> list[Showing]:
    rows = await db.fetch(
        "SELECT id, item_id, locale FROM documents WHERE type_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        type_id,
        after,
        limit,
    )
    return [Showing(*row) for row in rows]


async def data_of(documents: Sequence[Showing]) -> list[Record]:
    return await db.fetch(
        """SELECT d.item_id, d.locale, d.data FROM documents d
           JOIN unnest($1::uuid[], $2::text[]) AS these(item_id, locale) USING (item_id, locale)""",
        [document.item_id for document in documents],
        [document.locale for document in documents],
    )

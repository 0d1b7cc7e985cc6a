"""Every statement on items, entries and documents; each names its site."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.content.errors import LocaleGoneError
from scaicms.features.content.records import Item, Link, Revision, Target
from scaicms.features.content_types.service import CompiledType
from scaicms.features.taxonomies.service import Showing
from scaicms.infra import db
from scaicms.kit import json
from scaicms.kit.ids import new_id

# When the next scheduled action is due, of the entry `e` of the item `i`.
_NEXT_DUE = """(SELECT min(s.due_at) FROM content_schedule s WHERE s.item_id = i.id AND s.state = 'pending'
    AND s.action = '{action}' AND (s.locales IS NULL OR e.locale = ANY(s.locales))
    AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = s.job_id AND j.state = 'pending'))"""
PUBLISH_AT, UNPUBLISH_AT = _NEXT_DUE.format(action="publish"), _NEXT_DUE.format(action="unpublish")

_ITEM = f"""
SELECT i.id, i.site_id, i.type_id, i.stage, i.slug, i.created_at, i.created_by, i.archived_at, e.locale, e.data,
       e.version, e.published_version, e.updated_at, e.updated_by, d.published_at,
       {PUBLISH_AT} AS publish_at, {UNPUBLISH_AT} AS unpublish_at,
       ARRAY(SELECT l.locale FROM entries l WHERE l.item_id = i.id ORDER BY l.locale) AS locales,
       EXISTS (SELECT 1 FROM item_terms t WHERE t.item_id = i.id)
         OR EXISTS (SELECT 1 FROM document_terms t WHERE t.item_id = i.id) AS has_terms
FROM items i
JOIN entries e ON e.item_id = i.id
LEFT JOIN documents d ON d.item_id = i.id AND d.locale = e.locale
"""


def to_item(row: Record, content_type: CompiledType) -> Item:
    return Item(
        id=row["id"],
        site_id=row["site_id"],
        content_type=content_type,
        slug=row["slug"],
        locale=row["locale"],
        version=row["version"],
        published_version=row["published_version"],
        data=json.loads(row["data"]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        updated_at=row["updated_at"],
        updated_by=row["updated_by"],
        published_at=row["published_at"],
        locales=tuple(row["locales"]),
        publish_at=row["publish_at"],
        unpublish_at=row["unpublish_at"],
        stage=content_type.workflow.stage_of(row["stage"]) if content_type.workflow is not None else None,
        is_archived=row["archived_at"] is not None,
    )


async def find(site_id: UUID, item_id: UUID, locale: str, *, only: bool = True, lock: bool = False) -> Record | None:
    """An item that is not in the trash, in the locale; in another where it has no such entry, unless `only`.

    `lock` keeps other writers out until the transaction ends.
    """
    where = "WHERE i.id = $1 AND i.site_id = $2 AND (e.locale = $3 OR NOT $4) AND i.deleted_at IS NULL"
    order = "ORDER BY e.locale = $3 DESC, e.locale LIMIT 1"
    locking = "FOR UPDATE OF i, e" if lock else ""
    return await db.fetchrow(f"{_ITEM} {where} {order} {locking}", item_id, site_id, locale, only)


async def revision(item_id: UUID, locale: str, number: int) -> Revision | None:
    """A version of a draft; None where it never was, or is kept no more."""
    sql = "SELECT data, slug, terms FROM revisions WHERE item_id = $1 AND locale = $2 AND number = $3"
    row = await db.fetchrow(sql, item_id, locale, number)
    return Revision(json.loads(row["data"]), row["slug"], list(row["terms"])) if row is not None else None


async def find_by_slug(site_id: UUID, type_id: UUID, slug: str, locale: str) -> Record | None:
    where = "WHERE i.site_id = $1 AND i.type_id = $2 AND i.slug = $3 AND e.locale = $4 AND i.deleted_at IS NULL"
    return await db.fetchrow(f"{_ITEM} {where}", site_id, type_id, slug, locale)


async def type_key(site_id: UUID, type_id: UUID) -> str:
    key: str = await db.fetchval("SELECT key FROM content_types WHERE site_id = $1 AND id = $2", site_id, type_id)
    return key


async def hold_type_of(site_id: UUID, item_id: UUID) -> Record | None:
    """Key and version of an item's type, which nobody changes until this transaction ends; nor the item, in any locale.
    To be called before any other lock on the item: changes of types take theirs in this order too. What later
    statements read of the item is what there is after the wait."""
    return await db.fetchrow(
        """SELECT h.type_key AS key, h.type_version AS version
           FROM items i CROSS JOIN LATERAL hold_content_type(i.type_id) h
           WHERE i.id = $1 AND i.site_id = $2 AND i.deleted_at IS NULL FOR UPDATE OF i""",
        item_id,
        site_id,
    )


async def hold_items(site_id: UUID, item_ids: Sequence[UUID], type_keys: Sequence[str] = ()) -> None:
    """Hold several items until the transaction ends: all their types and these first, then the items in the order of
    their ids, so that nobody who does so, or changes a type, waits for ever. To be called before any lock on one of
    them.
    """
    await db.execute(
        """SELECT hold_content_type(t.id) FROM (
               SELECT id FROM content_types WHERE site_id = $1 AND key = ANY($2)
               UNION SELECT type_id FROM items WHERE site_id = $1 AND id = ANY($3) ORDER BY 1) t""",
        site_id,
        type_keys,
        item_ids,
    )
    await db.execute(
        "SELECT 1 FROM items WHERE site_id = $1 AND id = ANY($2) ORDER BY id FOR UPDATE", site_id, item_ids
    )


# Of the site $2, in the locale $8: asked when the type is held, so that nobody takes the locale away meanwhile.
HAS_LOCALE = """EXISTS (SELECT 1 FROM sites s WHERE s.id = $2
                    AND s.locales @> jsonb_build_array(jsonb_build_object('code', $8::text)))"""


async def insert_item(item: Item) -> None:
    """A new item with its first draft.

    Raises:
        LocaleGoneError: the site does not have the locale.
    """
    made = await db.execute(
        f"""WITH item AS (INSERT INTO items (id, site_id, type_id, slug, stage, created_at, created_by)
                          VALUES ($1, $2, $3, $4, $11, $5, $6))
            INSERT INTO entries (id, item_id, locale, data, version, updated_at, updated_by)
            SELECT $7::uuid, $1, $8::text, $9::jsonb, $10::int, $5, $6 WHERE {HAS_LOCALE}""",
        item.id,
        item.site_id,
        item.content_type.id,
        item.slug,
        item.created_at,
        item.created_by,
        new_id(),
        item.locale,
        json.dumps_text(item.data),
        item.version,
        item.stage.key if item.stage is not None else None,
    )
    if not made:
        raise LocaleGoneError


async def put_stage(site_id: UUID, item_id: UUID, stage: str) -> None:
    await db.execute("UPDATE items SET stage = $3 WHERE id = $2 AND site_id = $1", site_id, item_id, stage)


async def update_draft(item: Item) -> None:
    await db.execute(
        """WITH item AS (UPDATE items SET slug = $3 WHERE id = $1 AND site_id = $8 AND slug <> $3)
           UPDATE entries SET data = $4::jsonb, version = $5, updated_at = $6, updated_by = $7
           WHERE item_id = $1 AND locale = $2""",
        item.id,
        item.locale,
        item.slug,
        json.dumps_text(item.data),
        item.version,
        item.updated_at,
        item.updated_by,
        item.site_id,
    )


async def touch_other_locales(item: Item) -> None:
    """What is shared by all locales of an item has changed: a new version of their drafts, but for those that have one
    by this very save."""
    await db.execute(
        """UPDATE entries SET version = version + 1, updated_at = $3, updated_by = $4
           WHERE item_id = $1 AND locale <> $2 AND updated_at <> $3""",
        item.id,
        item.locale,
        item.updated_at,
        item.updated_by,
    )


async def put_document(item: Item, body: bytes, etag: str, data: dict[str, Any], published_at: datetime) -> None:
    await db.execute(
        """WITH entry AS (UPDATE entries SET published_version = $6, published_stamps = stamps
                          WHERE item_id = $1 AND locale = $2)
           INSERT INTO documents (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at,
                                  updated_at, published_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12)
           ON CONFLICT (item_id, locale) DO UPDATE SET slug = $5, version = $6, etag = $7, body = $8,
               data = $9::jsonb, updated_at = $11, published_at = $12""",
        item.id,
        item.locale,
        item.site_id,
        item.content_type.id,
        item.slug,
        item.version,
        etag,
        body,
        json.dumps_text(data),
        item.created_at,
        item.updated_at,
        published_at,
    )


async def remove_documents(site_id: UUID, item_id: UUID, locales: Sequence[str] | None = None) -> list[str]:
    """Take an item out of delivery in these locales, or in every one; those in which it was published."""
    rows = await db.fetch(
        """WITH entry AS (UPDATE entries SET published_version = NULL
                          WHERE item_id = $1 AND ($3::text[] IS NULL OR locale = ANY($3)))
           DELETE FROM documents WHERE item_id = $1 AND site_id = $2 AND ($3::text[] IS NULL OR locale = ANY($3))
           RETURNING locale""",
        item_id,
        site_id,
        locales,
    )
    return sorted(row["locale"] for row in rows)


async def put_into_trash(site_id: UUID, item_id: UUID, by: UUID | None) -> None:
    sql = "UPDATE items SET deleted_at = now(), deleted_by = $3 WHERE id = $1 AND site_id = $2"
    await db.execute(sql, item_id, site_id, by)


async def remove_for_good(site_id: UUID, item_id: UUID) -> None:
    for sql in (
        "DELETE FROM content_references WHERE item_id = $1 AND site_id = $2",
        "DELETE FROM import_sources WHERE item_id = $1 AND site_id = $2",
        "DELETE FROM content_schedule WHERE item_id = $1 AND site_id = $2",
        "DELETE FROM revisions WHERE item_id = $1 AND site_id = $2",
        "DELETE FROM document_history WHERE item_id = $1 AND site_id = $2",
        "DELETE FROM document_term_history WHERE item_id = $1 AND site_id = $2",
        "DELETE FROM entries USING items WHERE entries.item_id = $1 AND items.id = $1 AND items.site_id = $2",
        "DELETE FROM items WHERE id = $1 AND site_id = $2",
    ):
        await db.execute(sql, item_id, site_id)


async def lock_name(*parts: object) -> None:
    """Serialise transactions that are about the same name (a slug, a unique value)."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", _name(*parts))


def _name(*parts: object) -> str:
    return "\x1f".join(map(str, parts))


async def taken_slugs(site_id: UUID, type_id: UUID, candidates: Sequence[str], *, but: UUID | None = None) -> set[str]:
    """Slugs that drafts or documents of other items than `but` have."""
    rows = await db.fetch(
        """SELECT slug FROM items
           WHERE site_id = $1 AND type_id = $2 AND slug = ANY($3) AND deleted_at IS NULL AND id IS DISTINCT FROM $4
           UNION
           SELECT slug FROM documents
           WHERE site_id = $1 AND type_id = $2 AND slug = ANY($3) AND item_id IS DISTINCT FROM $4""",
        site_id,
        type_id,
        list(candidates),
        but,
    )
    return {row["slug"] for row in rows}


async def claim_slugs(site_id: UUID, type_id: UUID, candidates: Sequence[str], *, but: UUID | None = None) -> set[str]:
    """The same for who is about to take one: transactions that ask for the same first candidate wait for each other."""
    rows = await db.fetch(
        "SELECT slug FROM claim_slugs($1, $2, $3, $4, $5) AS slug",
        _name("slug", type_id, candidates[0]),
        site_id,
        type_id,
        list(candidates),
        but,
    )
    return {row["slug"] for row in rows}


async def has_items(site_id: UUID, type_id: UUID) -> bool:
    """Whether there is an item of the type outside the trash."""
    sql = "SELECT EXISTS (SELECT 1 FROM items WHERE site_id = $1 AND type_id = $2 AND deleted_at IS NULL)"
    return bool(await db.fetchval(sql, site_id, type_id))


async def value_taken(item: Item, key: str, locale: str | None) -> bool:
    """Whether another item has the value of this field in the locale; for None in any."""
    return bool(
        await db.fetchval(
            """SELECT EXISTS (SELECT 1 FROM entries e JOIN items i ON i.id = e.item_id
               WHERE i.site_id = $1 AND i.type_id = $2 AND i.id <> $3 AND i.deleted_at IS NULL
                 AND ($4::text IS NULL OR e.locale = $4) AND e.data @> $5::jsonb)""",
            item.site_id,
            item.content_type.id,
            item.id,
            locale,
            json.dumps_text({key: item.data[key]}),
        )
    )


async def published(site_id: UUID, item_id: UUID) -> list[Record]:
    """What is delivered of an item, in each locale."""
    return await db.fetch(
        "SELECT type_id, locale, version, data, body FROM documents WHERE site_id = $1 AND item_id = $2",
        site_id,
        item_id,
    )


async def published_ids(site_id: UUID, type_id: UUID, *, after: UUID | None, limit: int) -> list[UUID]:
    """Items of a type of which anything is published, in the order of their ids."""
    rows = await db.fetch(
        """SELECT DISTINCT item_id FROM documents
           WHERE site_id = $1 AND type_id = $2 AND ($3::uuid IS NULL OR item_id > $3)
           ORDER BY item_id LIMIT $4""",
        site_id,
        type_id,
        after,
        limit,
    )
    return [row["item_id"] for row in rows]


async def existing_targets(site_id: UUID, item_ids: Sequence[UUID]) -> dict[UUID, Target]:
    """What is known of these items; those that do not exist are absent."""
    rows = await db.fetch(
        """SELECT i.id, t.key, EXISTS (SELECT 1 FROM documents d WHERE d.item_id = i.id) AS published, i.created_by
           FROM items i JOIN content_types t ON t.id = i.type_id
           WHERE i.site_id = $1 AND i.id = ANY($2) AND i.deleted_at IS NULL""",
        site_id,
        list(item_ids),
    )
    return {row["id"]: Target(row["key"], row["published"], row["created_by"]) for row in rows}


async def locales_of(item_id: UUID) -> list[str]:
    """Locales in which an item has an entry."""
    return [row["locale"] for row in await db.fetch("SELECT locale FROM entries WHERE item_id = $1", item_id)]


async def replace_references(item: Item, references: Sequence[Link]) -> None:
    await db.execute("DELETE FROM content_references WHERE item_id = $1 AND site_id = $2", item.id, item.site_id)
    if references:
        await db.execute(
            """INSERT INTO content_references (site_id, item_id, field, target_id, asset)
               SELECT $1, $2, r.field, r.target, r.asset
               FROM unnest($3::text[], $4::uuid[], $5::boolean[]) AS r(field, target, asset)""",
            item.site_id,
            item.id,
            [link.field for link in references],
            [link.target for link in references],
            [link.asset for link in references],
        )


async def locales_in_step(item_id: UUID) -> list[str]:
    """Locales in which what is published of an item is its draft."""
    sql = "SELECT locale FROM entries WHERE item_id = $1 AND published_version = version ORDER BY locale"
    return [row["locale"] for row in await db.fetch(sql, item_id)]


async def hold_types(documents: Sequence[Showing]) -> dict[UUID, str]:
    """Keys of the types of documents; none of them changes until the transaction ends. Hold types before documents, as
    a change of a type does.
    """
    rows = await db.fetch(
        """SELECT t.type_id, held.type_key
           FROM (SELECT DISTINCT d.type_id FROM documents d
                 JOIN unnest($1::uuid[], $2::text[]) AS these(item_id, locale) USING (item_id, locale)
                 ORDER BY d.type_id) t
           CROSS JOIN LATERAL hold_content_type(t.type_id) held""",
        [d.item_id for d in documents],
        [d.locale for d in documents],
    )
    return {row["type_id"]: row["type_key"] for row in rows}


async def hold_documents(documents: Sequence[Showing], *, wait: bool) -> list[Record]:
    """Documents, held until the transaction ends; without `wait` those that others hold are left out."""
    sql = f"""SELECT d.item_id, d.locale, d.type_id, d.slug, d.version, d.body FROM documents d
              JOIN unnest($1::uuid[], $2::text[]) AS these(item_id, locale) USING (item_id, locale)
              ORDER BY d.item_id, d.locale FOR NO KEY UPDATE OF d {"" if wait else "SKIP LOCKED"}"""
    return await db.fetch(sql, [d.item_id for d in documents], [d.locale for d in documents])


async def put_body(item_id: UUID, locale: str, body: bytes, etag: str) -> None:
    """Another rendering of what is published."""
    sql = "UPDATE documents SET body = $3, etag = $4 WHERE item_id = $1 AND locale = $2"
    await db.execute(sql, item_id, locale, body, etag)

"""Every statement on the locales of one item together, and on which items lack one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.content.errors import LocaleGoneError
from scaicms.features.content.paths import Bound
from scaicms.features.content.records import Item
from scaicms.features.content.repository import HAS_LOCALE
from scaicms.infra import db
from scaicms.infra.lists import Key, RowList
from scaicms.kit import json
from scaicms.kit.ids import new_id
from scaicms.kit.principal import UNBOUND, Narrowing, Scope


async def entries(site_id: UUID, item_id: UUID) -> list[Record]:
    """What there is of an item outside the trash, in each locale."""
    return await db.fetch(
        """SELECT e.locale, e.data, e.version, e.published_version, e.updated_at, e.updated_by, e.stamps, i.type_id,
                  i.slug, i.stage, i.created_at, i.created_by, i.first_version, d.published_at
           FROM items i JOIN entries e ON e.item_id = i.id
           LEFT JOIN documents d ON d.item_id = i.id AND d.locale = e.locale
           WHERE i.id = $1 AND i.site_id = $2 AND i.deleted_at IS NULL ORDER BY e.locale""",
        item_id,
        site_id,
    )


async def insert_entry(item: Item) -> None:
    """An item's draft in one more locale.

    Raises:
        LocaleGoneError: the site does not have the locale.
    """
    made = await db.execute(
        f"""INSERT INTO entries (id, item_id, locale, data, version, updated_at, updated_by)
            SELECT $1::uuid, $3::uuid, $8::text, $4::jsonb, $5::int, $6::timestamptz, $7::uuid WHERE {HAS_LOCALE}""",
        new_id(),
        item.site_id,
        item.id,
        json.dumps_text(item.data),
        item.version,
        item.updated_at,
        item.updated_by,
        item.locale,
    )
    if not made:
        raise LocaleGoneError


async def share(item: Item, keys: Collection[str]) -> None:
    """Write these fields of an item into the drafts of its other locales, each a new version. Who calls holds the
    item, so that nobody else writes any of them meanwhile."""
    await db.execute(
        """UPDATE entries SET data = (data - $3::text[]) || $4::jsonb, version = version + 1, updated_at = $5,
               updated_by = $6
           WHERE item_id = $1 AND locale <> $2""",
        item.id,
        item.locale,
        list(keys),
        json.dumps_text({key: item.data[key] for key in keys if key in item.data}),
        item.updated_at,
        item.updated_by,
    )


async def put_stamps(item: Item, stamps: Mapping[str, int]) -> None:
    sql = "UPDATE entries SET stamps = stamps || $3::jsonb WHERE item_id = $1 AND locale = $2"
    await db.execute(sql, item.id, item.locale, json.dumps_text(dict(stamps)))


async def remove_entry(item: Item) -> None:
    """Take one locale away from an item; should it come back, its versions go on after those that it had."""
    for sql, arguments in (
        ("DELETE FROM documents WHERE item_id = $1 AND locale = $2", (item.id, item.locale)),
        ("DELETE FROM entries WHERE item_id = $1 AND locale = $2", (item.id, item.locale)),
        (
            "UPDATE items SET first_version = greatest(first_version, $2) WHERE id = $1 AND site_id = $3",
            (item.id, item.version + 1, item.site_id),
        ),
    ):
        await db.execute(sql, *arguments)


async def data_elsewhere(item: Item) -> list[dict[str, Any]]:
    """The drafts of an item's other locales."""
    rows = await db.fetch("SELECT data FROM entries WHERE item_id = $1 AND locale <> $2", item.id, item.locale)
    return [json.loads(row["data"]) for row in rows]


async def stamps_of(item_id: UUID) -> dict[str, dict[str, int]]:
    rows = await db.fetch("SELECT locale, stamps FROM entries WHERE item_id = $1", item_id)
    return {row["locale"]: json.loads(row["stamps"]) for row in rows}


async def documents(item_id: UUID, *, hold: bool = False) -> list[Record]:
    """What is delivered of an item, in each locale; with `hold` nobody renders it anew until the transaction ends. Who
    only keeps it published, as what points to it does, may: items may point to each other."""
    sql = f"""SELECT locale, slug, version, data, body FROM documents WHERE item_id = $1
              ORDER BY locale {"FOR NO KEY UPDATE" if hold else ""}"""
    return await db.fetch(sql, item_id)


async def published_in_several(site_id: UUID, *, after: UUID, limit: int) -> list[UUID]:
    """Items of which more than one locale is published, in the order of their ids."""
    rows = await db.fetch(
        """SELECT item_id FROM documents WHERE site_id = $1 AND item_id > $2
           GROUP BY item_id HAVING count(*) > 1 ORDER BY item_id LIMIT $3""",
        site_id,
        after,
        limit,
    )
    return [row["item_id"] for row in rows]


async def put_rendering(item_id: UUID, locale: str, data: Mapping[str, Any], body: bytes, etag: str) -> None:
    """Another rendering of what is published, with other values of what it takes from other locales."""
    sql = "UPDATE documents SET data = $3::jsonb, body = $4, etag = $5 WHERE item_id = $1 AND locale = $2"
    await db.execute(sql, item_id, locale, json.dumps_text(dict(data)), body, etag)


@dataclass(frozen=True, slots=True)
class Lacking:
    """What is looked for: work for translators into a locale, of one type or all, as far as a scope reaches."""

    site_id: UUID
    locale: str
    chain: Sequence[str]
    """Where the locale is translated from, best first."""
    type_id: UUID | None
    scope: Scope | None


MISSING_WINDOW = 1_000
"""Items that one request looks at: it compares all fields of each."""


def lacking(wanted: Lacking) -> RowList:
    """Items without a draft in the locale, or with one that is older than what is published of its source; the oldest
    first. `s` is the source, which is read too."""
    bound = Bound(3)
    bounds = wanted.scope.bounds if wanted.scope is not None else (UNBOUND,)
    owner = wanted.scope.owner_id if wanted.scope is not None else None
    near = [one for one in bounds if one.reaches(None, wanted.locale)]
    found = ["i.site_id = $1", "i.deleted_at IS NULL"]
    if wanted.type_id is not None:
        found.append(f"i.type_id = {bound.bind(wanted.type_id)}")
    known = _any_of(near, bound, owner, of_source=False, field="f.key")
    outdated = f"""s.locale = ANY($3::text[]) AND s.published_version IS NOT NULL AND EXISTS (
        SELECT 1 FROM jsonb_each(s.published_stamps) f(key, step)
        WHERE f.step > coalesce(e.stamps->f.key, '0') AND (s.data ? f.key OR e.data ? f.key)
          AND {known} AND t.definitions @> jsonb_build_array(jsonb_build_object('key', f.key, 'localized', true)))"""
    joins = f"""LEFT JOIN content_types t ON t.id = i.type_id
        LEFT JOIN LATERAL (
            SELECT s.* FROM entries s
            WHERE s.item_id = i.id AND s.locale <> $2 AND {_any_of(bounds, bound, owner, of_source=True)}
            ORDER BY s.locale <> ALL($3::text[]), s.published_version IS NULL,
                     array_position($3::text[], s.locale::text), s.locale LIMIT 1) s ON true
        LEFT JOIN entries e ON e.item_id = i.id AND e.locale = $2"""
    return RowList(
        table="items", alias="i", joins=joins, found=found,
        columns="""i.id, t.key AS type, i.slug, CASE WHEN e.id IS NULL THEN 'missing' ELSE 'outdated' END AS reason,
                   s.locale AS source, s.version AS source_version, s.published_version IS NOT NULL AS published,
                   e.version""",
        checked=["s.id IS NOT NULL", _any_of(near, bound, owner, of_source=False), f"(e.id IS NULL OR {outdated})"],
        arguments=[wanted.site_id, wanted.locale, list(wanted.chain), *bound.arguments],
        order=[Key("i.id", "uuid")], sort="id", window=MISSING_WINDOW,
    )  # fmt: skip


def _any_of(
    bounds: Sequence[Narrowing], bound: Bound, owner: UUID | None, *, of_source: bool, field: str | None = None
) -> str:
    """Whether the item, or its draft `s`, or the field that this expression names, is within reach of one of these."""
    ways = []
    for one in bounds:
        way = ["true"]
        if one.content_types is not None:
            way.append(f"t.key = ANY({bound.bind(list(one.content_types))}::text[])")
        if of_source and one.locales is not None:
            way.append(f"s.locale = ANY({bound.bind(list(one.locales))}::text[])")
        if field is not None and one.fields is not None:
            way.append(f"{field} = ANY({bound.bind(list(one.fields))}::text[])")
        if one.own_only:
            way.append(f"i.created_by = {bound.bind(owner)}")
        ways.append(f"({' AND '.join(way)})")
    return f"({' OR '.join(ways) or 'false'})"

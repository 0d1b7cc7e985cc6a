"""Which item each source of earlier imports became, and which all sources of one name."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from asyncpg import Record

from scaicms.features.content import access
from scaicms.features.content.jobs import IMPORT_CONTENT
from scaicms.features.content.paths import Bound
from scaicms.features.content.reaching import reached
from scaicms.infra import db
from scaicms.kit import json
from scaicms.kit.principal import Principal, Scope
from scaicms.kit.sites import Site


@dataclass(frozen=True, slots=True)
class Known:
    """A source seen before: the item it became and the digest of what was imported, empty where only rows that join it
    were. `foreign`: the item is there, be it in the trash, and out of reach. `hidden`: it does not exist for the
    caller."""

    item_id: UUID
    digest: str
    foreign: bool
    hidden: bool


MAX_KEY = 1024


@dataclass(frozen=True, slots=True)
class Joined:
    """Under which names a row may be known: its own, the same without what it says of its locale, and that of its item;
    and its locale."""

    name: str
    base: str
    item: str
    locale: str

    def key(self, item: str, site: Site) -> str:
        """How this locale of an item is known. No name begins with two slashes."""
        return item if self.locale == site.default_locale else f"//{self.locale}/{item}"


@dataclass(frozen=True, slots=True)
class Sources:
    """What is known of a row: under which key, the digest of it as it is now, and the item that it is about."""

    key: str
    item_key: str
    digest: str
    item_id: UUID | None
    are_unchanged: bool
    stray: UUID | None
    """The item that it was before it was joined with others."""
    are_foreign: bool
    """Whether an item that it became is out of reach."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who imports, and how far they may update items in the locale of a row."""

    principal: Principal
    scope: Scope | None

    def own(self, key: str) -> str:
        """A key that is this caller's alone. No other begins with three slashes."""
        return f"///{self.principal.author_id}/{key}"


async def look_up(site: Site, type_id: UUID, joined: Joined, digest: bytes, caller: Caller) -> Sources:
    """What earlier imports made of a row that has this content.

    Where a source has become an item that does not exist for the caller, neither does the source: it has another key
    for them, as has all that the row is known by.
    """
    key, named = joined.key(joined.item, site), joined.key(joined.base, site)
    if key != joined.name:
        digest += json.dumps([joined.item, joined.locale])
    names = list(dict.fromkeys((key, joined.item, named, joined.name)))
    found = await _find(site, type_id, [*names, *map(caller.own, names)], caller)
    is_own = any(name in found and found[name].hidden for name in names) or any(map(found.get, map(caller.own, names)))
    as_known = caller.own if is_own else str
    known = {name: found[as_known(name)] for name in names if as_known(name) in found}
    now = hashlib.sha256(digest).hexdigest()
    mine, item = known.get(key), known.get(joined.item)
    if item is None and (alone := known.get(named)) is not None and alone.digest:
        item = alone  # it has got a translationKey since
    stray = known.get(joined.name) if joined.name not in (key, joined.item, named) else None
    if item is None and joined.locale == site.default_locale:
        item = stray  # it went into this locale then too
    are_unchanged = mine is not None and mine.digest == now and (item is None or item.item_id == mine.item_id)
    item_id = item.item_id if item is not None else None
    stray_id = stray.item_id if stray is not None else None
    are_foreign = any(one is not None and one.foreign for one in (mine, item, stray))
    return Sources(as_known(key), as_known(joined.item), now, item_id, are_unchanged, stray_id, are_foreign)


async def _find(site: Site, type_id: UUID, keys: Iterable[str], caller: Caller) -> dict[str, Known]:
    stored = {_stored(key): key for key in keys}
    bound = Bound(3)
    rows = await db.fetch(
        f"""SELECT s.source_key, s.item_id, s.digest, t.key AS type, i.created_by,
                   i.id IS NOT NULL AND NOT {reached(caller.scope, bound)} AS foreign,
                   (SELECT jsonb_object_agg(e.locale, e.published_version IS NOT NULL) FROM entries e
                    WHERE e.item_id = i.id) AS locales
            FROM import_sources s LEFT JOIN items i ON i.id = s.item_id LEFT JOIN content_types t ON t.id = i.type_id
            WHERE s.site_id = $1 AND s.type_id = $2 AND s.source_key = ANY($3)""",
        site.id,
        type_id,
        list(stored),
        *bound.arguments,
    )
    return {stored[row["source_key"]]: _known(site, row, caller.principal) for row in rows}


def _known(site: Site, row: Record, principal: Principal) -> Known:
    locales = json.loads(row["locales"]) if row["locales"] is not None else {}
    exists = not locales or access.knows_item(principal, site.id, row["type"], row["created_by"], locales)
    return Known(row["item_id"], row["digest"], row["foreign"], not exists)


async def put(site_id: UUID, type_id: UUID, key: str, digest: str, item_id: UUID) -> None:
    await db.execute(
        """INSERT INTO import_sources (site_id, type_id, source_key, digest, item_id) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (site_id, type_id, source_key) DO UPDATE SET digest = $4, item_id = $5""",
        site_id,
        type_id,
        _stored(key),
        digest,
        item_id,
    )


async def put_item(site_id: UUID, type_id: UUID, item_key: str, item_id: UUID) -> None:
    """Note the item for other locales to find. What its own row has brought there, if there is one, stays noted, unless
    that was another item."""
    await db.execute(
        """INSERT INTO import_sources AS known (site_id, type_id, source_key, digest, item_id)
           VALUES ($1, $2, $3, '', $4)
           ON CONFLICT (site_id, type_id, source_key)
           DO UPDATE SET digest = '', item_id = $4 WHERE known.item_id <> $4""",
        site_id,
        type_id,
        _stored(item_key),
        item_id,
    )


async def uploads_in_use(keys: Sequence[str]) -> set[str]:
    """Of these keys of uploads those that an import may still need: all but finished ones can be retried."""
    rows = await db.fetch(
        """SELECT payload->>'upload' AS upload FROM jobs
           WHERE name = $1 AND state <> 'done' AND payload->>'upload' = ANY($2)""",
        IMPORT_CONTENT.name,
        list(keys),
    )
    return {row["upload"] for row in rows}


def _stored(key: str) -> str:
    """A key as the column holds it: very long ones, which only records have, by their beginning and a digest."""
    if len(key) <= MAX_KEY:
        return key
    return f"{key[: MAX_KEY - 65]}:{hashlib.sha256(key.encode()).hexdigest()}"

"""Which item each source of earlier imports became, and which all sources of one name."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from scaicms.infra import db
from scaicms.kit import json
from scaicms.kit.sites import Site


@dataclass(frozen=True, slots=True)
class Known:
    """A source seen before: the item it became and the digest of what was imported, empty where only rows that join it
    were."""

    item_id: UUID
    digest: str


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
    digest: str
    item_id: UUID | None
    are_unchanged: bool
    stray: UUID | None
    """The item that it was before it was joined with others."""


async def look_up(site: Site, type_id: UUID, joined: Joined, digest: bytes) -> Sources:
    """What earlier imports made of a row that has this content."""
    key, named = joined.key(joined.item, site), joined.key(joined.base, site)
    if key != joined.name:
        digest += json.dumps([joined.item, joined.locale])
    known = await _find(site.id, type_id, dict.fromkeys((key, joined.item, named, joined.name)))
    now = hashlib.sha256(digest).hexdigest()
    mine, item = known.get(key), known.get(joined.item)
    if item is None and (alone := known.get(named)) is not None and alone.digest:
        item = alone  # it has got a translationKey since
    stray = known.get(joined.name) if joined.name not in (key, joined.item, named) else None
    if item is None and joined.locale == site.default_locale:
        item = stray  # it went into this locale then too
    are_unchanged = mine is not None and mine.digest == now and (item is None or item.item_id == mine.item_id)
    item_id = item.item_id if item is not None else None
    return Sources(key, now, item_id, are_unchanged, stray.item_id if stray is not None else None)


async def _find(site_id: UUID, type_id: UUID, keys: Iterable[str]) -> dict[str, Known]:
    stored = {_stored(key): key for key in keys}
    rows = await db.fetch(
        """SELECT source_key, item_id, digest FROM import_sources
           WHERE site_id = $1 AND type_id = $2 AND source_key = ANY($3)""",
        site_id,
        type_id,
        list(stored),
    )
    return {stored[row["source_key"]]: Known(row["item_id"], row["digest"]) for row in rows}


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


def _stored(key: str) -> str:
    """A key as the column holds it: very long ones, which only records have, by their beginning and a digest."""
    if len(key) <= MAX_KEY:
        return key
    return f"{key[: MAX_KEY - 65]}:{hashlib.sha256(key.encode()).hexdigest()}"

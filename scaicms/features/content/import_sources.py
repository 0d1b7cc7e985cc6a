"""Which item each source of earlier imports became, and which all sources of one name."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from scaicms.features.content.paths import Bound
from scaicms.features.content.reaching import reached
from scaicms.infra import db
from scaicms.kit import json
from scaicms.kit.principal import Scope
from scaicms.kit.sites import Site


@dataclass(frozen=True, slots=True)
class Known:
    """A source seen before: the item it became and the digest of what was imported, empty where only rows that join it
    were. `foreign`: the item is there, be it in the trash, and out of reach."""

    item_id: UUID
    digest: str
    foreign: bool


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
    are_foreign: bool
    """Whether an item that it became is out of reach."""


async def look_up(site: Site, type_id: UUID, joined: Joined, digest: bytes, scope: Scope | None) -> Sources:
    """What earlier imports made of a row that has this content, for who reaches so far."""
    key, named = joined.key(joined.item, site), joined.key(joined.base, site)
    if key != joined.name:
        digest += json.dumps([joined.item, joined.locale])
    known = await _find(site.id, type_id, dict.fromkeys((key, joined.item, named, joined.name)), scope)
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
    return Sources(key, now, item_id, are_unchanged, stray_id, are_foreign)


async def _find(site_id: UUID, type_id: UUID, keys: Iterable[str], scope: Scope | None) -> dict[str, Known]:
    stored = {_stored(key): key for key in keys}
    bound = Bound(3)
    rows = await db.fetch(
        f"""SELECT s.source_key, s.item_id, s.digest, i.id IS NOT NULL AND NOT {reached(scope, bound)} AS foreign
            FROM import_sources s LEFT JOIN items i ON i.id = s.item_id LEFT JOIN content_types t ON t.id = i.type_id
            WHERE s.site_id = $1 AND s.type_id = $2 AND s.source_key = ANY($3)""",
        site_id,
        type_id,
        list(stored),
        *bound.arguments,
    )
    return {stored[row["source_key"]]: Known(row["item_id"], row["digest"], row["foreign"]) for row in rows}


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

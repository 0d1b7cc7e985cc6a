"""The feed: events of a site, in an order in which nothing can come in before what was told already.

`seq` is drawn before a transaction commits, so that a reader who goes on from the highest one misses what commits late.
The audit chain has such an order (`position`, docs/adr/0015): events are linked when no older transaction is running
any more. Whoever reads the feed links what is ready first, so that nobody waits for workers, who do it every minute.
"""

from typing import Any

from asyncpg import Record

from scaicms.features.webhooks import feed_repository, leaving, permissions
from scaicms.features.webhooks.errors import EventsExpiredError
from scaicms.features.webhooks.schemas import EventTypeOut, FeedEvent, FeedOut, FeedQuery
from scaicms.infra.events import Event, chain
from scaicms.infra.services import Service
from scaicms.kit import json
from scaicms.kit.cursors import make_cursor, read_cursor
from scaicms.kit.errors import BadRequestError
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

CURSOR = "feed"
LINKED_BATCHES = 5
LOOKED_AT = 2_000
"""Events that one answer looks at, at most, to find those that the caller may read and asks for."""


class FeedService(Service):
    """What has happened at a site, as far as the caller may read it."""

    def event_types(self, principal: Principal, site: Site) -> list[EventTypeOut]:
        """What webhooks can ask for and the feed tells."""
        principal.require(permissions.READ.code, site.id)
        return [_described(event) for event in leaving.leaving().values()]

    async def read(self, principal: Principal, site: Site, query: FeedQuery) -> FeedOut:
        """Events after a place, oldest first.

        Raises:
            EventsExpiredError: retention has removed events between the place and the oldest one that is left.
        """
        principal.require(permissions.READ.code, site.id)
        patterns = _patterns(query.types)
        seq = self._place(query.cursor) if query.cursor is not None else query.after
        if await feed_repository.is_unlinked(site.id):
            await _link()
        looked = await feed_repository.after(site.id, seq, leaving.seen_by(principal, site.id), patterns, LOOKED_AT)
        wanted = [row for row in looked if row["wanted"]][: query.page_size]
        # After reading: what a run of retention removes meanwhile is not passed over.
        if seq > 0:
            await self._require_uncut(site, seq)
        # Either up to the last event that is told, or over all that was looked at in vain.
        full = len(wanted) == query.page_size
        last = wanted[-1]["seq"] if full else (looked[-1]["seq"] if looked else seq)
        secret = self.resources.settings.secret.get_secret_value()
        return FeedOut(
            items=[_event(row) for row in wanted],
            total=None,
            next_after=last,
            next_cursor=make_cursor(secret, CURSOR, str(last)),
            has_more=bool(looked) and (len(looked) == LOOKED_AT or looked[-1]["seq"] != last),
        )

    async def _require_uncut(self, site: Site, seq: int) -> None:
        cut = await feed_repository.cut(site.id, seq)
        if cut is None or cut["is_there"] or seq > cut["max_seq"] or seq == cut["last_seq"]:
            return
        raise EventsExpiredError(
            f"Events until {cut['occurred_at']:%Y-%m-%dT%H:%M:%SZ} were removed, and this place is before the last of "
            "them. Read the content anew, then read the feed from after=0.",
            extra={"removed_until": cut["occurred_at"]},
        )

    def _place(self, cursor: str) -> int:
        place = read_cursor(self.resources.settings.secret.get_secret_value(), CURSOR, cursor)
        if place is None:
            raise BadRequestError("This is no cursor of this list.", code="invalid_cursor")
        return int(place)


async def _link() -> None:
    """Link what is ready, as much as one answer may take the time for."""
    for _ in range(LINKED_BATCHES):
        if await chain.seal() < chain.BATCH:
            return


def _patterns(types: str | None) -> list[str]:
    if types is None:
        return [leaving.ALL]
    patterns = types.split(",")
    if leaving.unknown(patterns):
        wrong = ", ".join(patterns[number] for number in leaving.unknown(patterns))
        raise BadRequestError(f"types: no event is called {wrong}.", code="unknown_event")
    return patterns


def _event(row: Record) -> FeedEvent:
    return FeedEvent(
        seq=row["seq"],
        type=row["type"],
        timestamp=row["occurred_at"],
        id=row["id"],
        site_id=row["site_id"],
        version=row["version"],
        data=json.loads(row["data"]),
    )


def _described(event: type[Event]) -> EventTypeOut:
    schema: dict[str, Any] = event.model_json_schema()
    members = {name: member for name, member in schema["properties"].items() if name not in ("site_id", "aggregate_id")}
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **{name: schema[name] for name in ("$defs",) if name in schema},
        "type": "object",
        "properties": {"id": {"type": "string", "format": "uuid"}, **members},
        "required": ["id", *(name for name in schema.get("required", ()) if name in members)],
    }
    return EventTypeOut(
        type=event.type,
        version=event.version,
        description=_words(event),
        permission=str(event.seen_with),
        data_schema=described,
    )


def _words(event: type[Event]) -> str:
    """What its class says, or the one that it is a kind of."""
    return next((" ".join(kind.__doc__.split()) for kind in event.__mro__ if kind.__doc__ and kind is not Event), "")

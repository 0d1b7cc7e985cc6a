"""`record()`: write the fact and, in the same transaction, the jobs that its subscribers ask for."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from scaicms.infra import logs
from scaicms.infra.jobs.declare import JobRequest
from scaicms.infra.jobs.enqueue import Along, enqueue_all
from scaicms.kit.ids import new_id
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import DEFER


class Event(BaseModel):
    """Base of all facts: a frozen model, named in the past tense. `site_id` None is the whole installation."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=DEFER)

    type: ClassVar[str]
    version: ClassVar[int] = 1
    seen_with: ClassVar[str | None] = None
    """The permission with which it is read outside, in the feed and by webhooks; None: it never leaves. Events of no
    site never do."""
    about: ClassVar[str | None] = None
    """Its member that names a content type, by which that permission may be narrowed."""

    site_id: UUID | None
    aggregate_id: UUID


Subscriber = Callable[[Any], Iterable[JobRequest]]
_subscribers: dict[type[Event], list[Subscriber]] = defaultdict(list)
_known: dict[str, type[Event]] = {}


@dataclass(frozen=True, slots=True)
class Fanout:
    """What becomes of facts that may leave, in the statement that writes them: SQL alone, so that it costs no round
    trip and no way of writing forgets it."""

    ctes: str
    """Over `along` (the new rows of `events`), of those whose `type` is in `{leaving}` (text[]); the last one is
    `followed`, with `id` and `queue` of the jobs that were promised."""


_fanout: Fanout | None = None


def bind(events: Sequence[type[Event]]) -> None:
    """Make event types known (for `GET /webhooks/event-types` and reading the log)."""
    for event in events:
        _known[event.type] = event


def subscribe_all(subscribers: Mapping[type[Event], Sequence[Subscriber]]) -> None:
    """Connect subscribers. Connecting the same one twice has no effect."""
    for event, functions in subscribers.items():
        for function in functions:
            if function not in _subscribers[event]:
                _subscribers[event].append(function)


def known() -> Mapping[str, type[Event]]:
    """Every type of event that a feature declares, by its name."""
    return _known


def fan_out(fanout: Fanout) -> None:
    """Set what becomes of facts that may leave. Called once at start-up."""
    global _fanout  # noqa: PLW0603 - one a process, set at start-up as subscribers are
    _fanout = fanout


async def record(event: Event, *, actor: Principal) -> list[UUID]:
    """Write `event` and the jobs that follow from it. Needs an open transaction; returns the jobs' ids."""
    return await record_many([event], actor=actor)


FACT_ARGUMENTS = 10


@cache
def _insert(first: int) -> str:
    """The statement, whose arguments begin with this number."""
    ids, sites, types, versions, aggregates, payloads, kind, actor, ip, request = (
        f"${first + n}" for n in range(FACT_ARGUMENTS)
    )
    return f"""
INSERT INTO events (id, site_id, type, version, aggregate_id, payload, actor_kind, actor_id, occurred_at, ip,
                    request_id)
SELECT e.id, e.site_id, e.type, e.version, e.aggregate_id, e.payload::jsonb, {kind}, {actor}, now(), {ip}, {request}
FROM unnest({ids}::uuid[], {sites}::uuid[], {types}::text[], {versions}::smallint[], {aggregates}::uuid[],
            {payloads}::text[])
     AS e(id, site_id, type, version, aggregate_id, payload)
"""


@cache
def _followed(fanout: Fanout, first: int) -> str:
    return fanout.ctes.format(leaving=f"${first + FACT_ARGUMENTS}::text[]")


async def record_many(events: Sequence[Event], *, actor: Principal) -> list[UUID]:
    """The same for several facts, all of it at the cost of one statement."""
    if not events:
        return []
    facts = (
        [new_id() for _ in events],
        [event.site_id for event in events],
        [event.type for event in events],
        [event.version for event in events],
        [event.aggregate_id for event in events],
        [event.model_dump_json(exclude={"site_id", "aggregate_id"}) for event in events],
        actor.kind,
        actor.id,
        logs.client_address.get(),
        logs.request_id.get(),
    )
    requests = [
        request for event in events for subscriber in _subscribers[type(event)] for request in subscriber(event)
    ]
    leaving = {event.type for event in events if event.seen_with is not None and event.site_id is not None}
    if _fanout is None or not leaving:
        return await enqueue_all(requests, Along(_insert, facts))
    along = Along(_insert, (*facts, sorted(leaving)), then=partial(_followed, _fanout))
    return await enqueue_all(requests, along)

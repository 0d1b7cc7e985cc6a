"""`record()`: write the fact and, in the same transaction, the jobs that its subscribers ask for."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
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

    site_id: UUID | None
    aggregate_id: UUID


Subscriber = Callable[[Any], Iterable[JobRequest]]
_subscribers: dict[type[Event], list[Subscriber]] = defaultdict(list)
_known: dict[str, type[Event]] = {}


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


async def record(event: Event, *, actor: Principal) -> list[UUID]:
    """Write `event` and the jobs that follow from it. Needs an open transaction; returns the jobs' ids."""
    return await record_many([event], actor=actor)


@cache
def _insert(first: int) -> str:
    """The statement, whose arguments begin with this number."""
    ids, sites, types, versions, aggregates, payloads, kind, actor, ip, request = (f"${first + n}" for n in range(10))
    return f"""
INSERT INTO events (id, site_id, type, version, aggregate_id, payload, actor_kind, actor_id, occurred_at, ip,
                    request_id)
SELECT e.id, e.site_id, e.type, e.version, e.aggregate_id, e.payload::jsonb, {kind}, {actor}, now(), {ip}, {request}
FROM unnest({ids}::uuid[], {sites}::uuid[], {types}::text[], {versions}::smallint[], {aggregates}::uuid[],
            {payloads}::text[])
     AS e(id, site_id, type, version, aggregate_id, payload)
"""


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
    return await enqueue_all(requests, Along(_insert, facts))

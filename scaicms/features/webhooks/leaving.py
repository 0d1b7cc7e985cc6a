"""Which events may leave, and who may read which: asked by the feed, by lists of deliveries, and before each delivery.

The rule of one event is in its class (`seen_with`, `about`). A grant that is narrowed to content types or locales shows
the events that name one of them; one that is narrowed to the holder's own items shows none, since an event does not
say whose the item is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.infra import events
from scaicms.infra.events import Event
from scaicms.kit import json
from scaicms.kit.principal import Narrowing, Principal

ALL = "*"


def leaving() -> dict[str, type[Event]]:
    """Types of events that may leave, by name."""
    return {name: event for name, event in sorted(events.known().items()) if event.seen_with is not None}


def subject(event_type: str) -> str:
    """The pattern of all events with the same subject: `content.*`."""
    return event_type.partition(".")[0] + ".*"


def matches(patterns: Iterable[str], event_type: str) -> bool:
    return bool({event_type, subject(event_type), ALL} & set(patterns))


def unknown(patterns: Iterable[str]) -> list[int]:
    """The places of patterns that no event fits."""
    known = {ALL, *leaving(), *map(subject, leaving())}
    return [number for number, pattern in enumerate(patterns) if pattern not in known]


@dataclass(frozen=True, slots=True)
class Seen:
    """Events of these types; with `about`, those that name one of these content types and locales (None: any)."""

    types: tuple[str, ...]
    about: str | None = None
    content_types: frozenset[str] | None = None
    locales: frozenset[str] | None = None

    def admits(self, event_type: str, payload: Mapping[str, Any]) -> bool:
        if event_type not in self.types:
            return False
        in_types = self.content_types is None or payload.get(self.about or "") in self.content_types
        return in_types and (self.locales is None or payload.get("locale") in self.locales)


def seen_by(principal: Principal, site_id: UUID) -> list[Seen]:
    """What of a site's events somebody may read; an event is readable that any of these admits."""
    groups: dict[tuple[str, str | None], list[str]] = {}
    for name, event in leaving().items():
        groups.setdefault((str(event.seen_with), event.about), []).append(name)
    seen: list[Seen] = []
    for (permission, about), types in groups.items():
        if not principal.may(permission, site_id):
            continue
        scope = principal.scope(permission, site_id)
        if scope is None:
            seen.append(Seen(tuple(types)))
        elif about is not None:
            seen += [_narrowed(tuple(types), about, bound) for bound in scope.bounds if not bound.own_only]
    return seen


def _narrowed(types: tuple[str, ...], about: str, bound: Narrowing) -> Seen:
    return Seen(types, about, bound.content_types, bound.locales)


def condition(seen: Sequence[Seen], arguments: list[Any], *, type_column: str, payload_column: str) -> str:
    """The same as SQL; what it compares with is added to `arguments`."""

    def place(value: Any) -> str:
        arguments.append(sorted(value))
        return f"${len(arguments)}::text[]"

    admitted = []
    for one in seen:
        terms = [f"{type_column} = ANY({place(one.types)})"]
        if one.content_types is not None:
            # The member's name comes from a class of ours.
            terms.append(f"{payload_column}->>'{one.about}' = ANY({place(one.content_types)})")
        if one.locales is not None:
            terms.append(f"{payload_column}->>'locale' = ANY({place(one.locales)})")
        admitted.append(" AND ".join(terms))
    return "(" + (" OR ".join(admitted) or "false") + ")"


def matching(patterns: Sequence[str], arguments: list[Any], *, type_column: str) -> str:
    """SQL: the type fits one of these patterns."""
    arguments.append(list(patterns))
    fitting = f"ARRAY[{type_column}::text, split_part({type_column}, '.', 1) || '.*', '{ALL}']"
    return f"${len(arguments)}::text[] && {fitting}"


def body_of(delivery: Record) -> bytes:
    """What is signed and sent: the event as it was when it was committed."""
    return json.dumps(
        {
            "type": delivery["event_type"],
            "timestamp": delivery["occurred_at"],
            "id": delivery["event_id"],
            "site_id": delivery["site_id"],
            "version": delivery["event_version"],
            "data": json.loads(delivery["payload"]),
        }
    )

"""Every query on the audit log."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from asyncpg import Record

from scaicms.features.audit.schemas import AuditFilters
from scaicms.infra import db
from scaicms.infra.lists import Key, RowList, look_up
from scaicms.kit.ids import parse_id

BATCH = 1000
_COLUMNS = """seq, id, site_id, type, aggregate_id, payload, actor_kind, actor_id, occurred_at, ip, request_id,
              position, hash"""
_EVENTS = f"(SELECT {_COLUMNS} FROM events UNION ALL SELECT {_COLUMNS} FROM held_events)"
_SHOWN = "e.*, coalesce(u.email, k.prefix) AS actor_name"
_ACTOR = f"{look_up('users', 'u', 'u.id = e.actor_id')} {look_up('api_keys', 'k', 'k.id = e.actor_id')}"
# Each is followed by `seq` in an index. One of them finds rows, those before others in this order.
_INDEXED = ("e.aggregate_id", "e.actor_id", "e.site_id")


def _where(filters: AuditFilters) -> tuple[list[str], list[Any]]:
    conditions, arguments = ["true"], []
    actor_id = parse_id(filters.actor) if filters.actor is not None else None
    action = filters.action
    for value, condition in (
        (actor_id, "e.actor_id = {}"),
        (filters.actor if actor_id is None else None, "e.actor_kind = {}"),
        (action[:-1] if action is not None and action.endswith("*") else None, "starts_with(e.type, {})"),
        (action if action is not None and not action.endswith("*") else None, "e.type = {}"),
        (filters.target, "e.aggregate_id = {}"),
        (filters.site, "e.site_id = {}"),
        (filters.since, "e.occurred_at >= {}"),
        (filters.until, "e.occurred_at < {}"),
    ):
        if value is not None:
            arguments.append(value)
            conditions.append(condition.format(f"${len(arguments)}"))
    return conditions, arguments


def entries(filters: AuditFilters) -> RowList:
    """Entries, newest first."""
    conditions, arguments = _where(filters)
    indexed = [one for column in _INDEXED for one in conditions if one.startswith(column)]
    found = indexed[:1] or ["true"]
    return RowList(
        table=_EVENTS, alias="e", id="seq", columns=_SHOWN, shown_joins=_ACTOR, found=found, arguments=arguments,
        checked=[one for one in conditions if one not in found and one != "true"],
        order=[Key("e.seq", "bigint")], descending=True, sort="-seq",
    )  # fmt: skip


async def batches(filters: AuditFilters) -> AsyncIterator[list[Record]]:
    """All entries, oldest first, in batches; what is written meanwhile may be in it or not. Each statement looks at
    `BATCH` entries, whether they fit or not."""
    rows = replace(entries(filters), descending=False)
    looked = rows.looked(BATCH, f"e.seq > ${len(rows.arguments) + 1}")
    sql = f"""SELECT p.k0 AS last, {_SHOWN} FROM ({looked}) p
              LEFT JOIN {_EVENTS} e ON e.seq = p.list_id AND p.list_fits {_ACTOR} ORDER BY p.k0"""
    last = 0
    while found := await db.fetch(sql, *rows.arguments, last, planned=True):
        if fitting := [row for row in found if row["seq"] is not None]:
            yield fitting
        last = found[-1]["last"]

"""Every query on the audit log."""

from collections.abc import AsyncIterator
from typing import Any

from asyncpg import Record

from scaicms.features.audit.schemas import AuditFilters, ListAudit
from scaicms.infra import db
from scaicms.kit.ids import parse_id

BATCH = 1000
_COLUMNS = """seq, id, site_id, type, aggregate_id, payload, actor_kind, actor_id, occurred_at, ip, request_id,
              position, hash"""
_EVENTS = f"(SELECT {_COLUMNS} FROM events UNION ALL SELECT {_COLUMNS} FROM held_events)"
_ENTRY = f"""
SELECT e.*, coalesce(u.email, k.prefix) AS actor_name
FROM {_EVENTS} e LEFT JOIN users u ON u.id = e.actor_id LEFT JOIN api_keys k ON k.id = e.actor_id
"""


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


async def page(query: ListAudit, before: int | None) -> tuple[list[Record], int | None]:
    """Entries, newest first, one more than a page where there are more; those `before` a seq, or of the page."""
    conditions, arguments = _where(query)
    counted = f"SELECT count(*) FROM {_EVENTS} e WHERE {' AND '.join(conditions)}"
    total = await db.fetchval(counted, *arguments) if query.count == "exact" else None
    if before is not None:
        arguments.append(before)
        conditions.append(f"e.seq < ${len(arguments)}")
    offset = 0 if before is not None else query.offset
    sql = f"""{_ENTRY} WHERE {" AND ".join(conditions)} ORDER BY e.seq DESC
              LIMIT {query.page_size + 1} OFFSET {offset}"""
    return await db.fetch(sql, *arguments), total


async def batches(filters: AuditFilters) -> AsyncIterator[list[Record]]:
    """All entries, oldest first, in batches; what is written meanwhile may be in it or not."""
    conditions, arguments = _where(filters)
    after = f"${len(arguments) + 1}"
    sql = f"{_ENTRY} WHERE {' AND '.join(conditions)} AND e.seq > {after} ORDER BY e.seq LIMIT {BATCH}"
    last = 0
    while rows := await db.fetch(sql, *arguments, last):
        yield rows
        last = rows[-1]["seq"]

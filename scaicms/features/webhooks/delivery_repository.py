"""Every query on deliveries and their attempts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from asyncpg import Record

from scaicms.features.webhooks.leaving import Seen, condition
from scaicms.features.webhooks.schemas import ListDeliveries
from scaicms.infra import db
from scaicms.infra.lists import Candidates, Key, RowList
from scaicms.kit import json

PAGE_BYTES = 1024 * 1024
"""How much of answers one page of a list holds."""
PRUNE_BATCH = 2000


def _where(
    site_id: UUID, webhook_id: UUID, seen: Sequence[Seen], query: ListDeliveries | None
) -> tuple[list[str], list[Any]]:
    arguments: list[Any] = [site_id, webhook_id]
    readable = condition(seen, arguments, type_column="d.event_type", payload_column="d.payload")
    conditions = ["d.site_id = $1 AND d.webhook_id = $2", f"(d.is_test OR {readable})"]
    if query is not None:
        for column, value in (("d.state", query.status), ("d.event_type", query.event_type)):
            if value is not None:
                arguments.append(value)
                conditions.append(f"{column} = ${len(arguments)}")
    return conditions, arguments


def deliveries(site_id: UUID, webhook_id: UUID, seen: Sequence[Seen], query: ListDeliveries) -> RowList:
    """Deliveries, newest first."""
    conditions, arguments = _where(site_id, webhook_id, seen, query)
    waiting = "SELECT id FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'pending'"
    return RowList(
        table="webhook_deliveries", alias="d", columns="d.*", found=conditions[:1], checked=conditions[1:],
        arguments=arguments, order=[Key("d.id", "uuid")], descending=True, sort="-id",
        candidates=Candidates(waiting, [webhook_id]) if query.status == "pending" else None,
    )  # fmt: skip


async def find(site_id: UUID, webhook_id: UUID, delivery_id: UUID, seen: Sequence[Seen]) -> Record | None:
    conditions, arguments = _where(site_id, webhook_id, seen, None)
    arguments.append(delivery_id)
    where = " AND ".join([*conditions, f"d.id = ${len(arguments)}"])
    return await db.fetchrow(f"SELECT d.* FROM webhook_deliveries d WHERE {where}", *arguments)


async def attempts_of(delivery_ids: Sequence[UUID], *, whole: bool = False) -> list[Record]:
    """Attempts, the newest first; but for `whole`, answers are left out once they fill a page."""
    kept = "true" if whole else f"coalesce(sum(octet_length(response_body)) OVER (ORDER BY id DESC), 0) <= {PAGE_BYTES}"
    return await db.fetch(
        f"""SELECT delivery_id, number, url, started_at, finished_at, latency_ms, status, error, request_headers,
                   response_headers, response_truncated, {kept} AS kept, CASE WHEN {kept} THEN response_body END AS body
            FROM webhook_attempts WHERE delivery_id = ANY($1) ORDER BY id DESC""",
        list(delivery_ids),
    )


async def hold(delivery_id: UUID) -> Record | None:
    """For a worker: the delivery, nobody else's until the transaction ends."""
    return await db.fetchrow("SELECT * FROM webhook_deliveries WHERE id = $1 FOR UPDATE", delivery_id)


async def stop_attempts(delivery_id: UUID) -> None:
    """End attempts of which nobody will say what came of them."""
    await db.execute(
        """UPDATE webhook_attempts SET finished_at = clock_timestamp(), error = 'its job ended during this attempt'
           WHERE delivery_id = $1 AND finished_at IS NULL""",
        delivery_id,
    )


class Outcome(NamedTuple):
    """What came of a request: an answer, or why there is none."""

    latency_ms: float
    status: int | None
    error: str | None
    headers: dict[str, str] | None
    body: bytes | None
    truncated: bool


async def end_attempt(attempt_id: UUID, outcome: Outcome) -> None:
    await db.execute(
        """UPDATE webhook_attempts SET finished_at = clock_timestamp(), latency_ms = $2, status = $3, error = $4,
                  response_headers = $5::jsonb, response_body = $6, response_truncated = $7 WHERE id = $1""",
        attempt_id,
        outcome.latency_ms,
        outcome.status,
        outcome.error,
        json.dumps_text(outcome.headers) if outcome.headers is not None else None,
        outcome.body,
        outcome.truncated,
    )


async def finish(delivery_id: UUID, state: str, reason: str | None = None) -> None:
    """Nothing more is to be sent."""
    await db.execute(
        """UPDATE webhook_deliveries SET state = $2, reason = $3, next_at = NULL, finished_at = now()
           WHERE id = $1""",
        delivery_id,
        state,
        reason,
    )


async def postpone(delivery_id: UUID, *, step: int, next_at: datetime, job_id: UUID) -> None:
    """Another attempt is to come."""
    await db.execute(
        "UPDATE webhook_deliveries SET step = $2, next_at = $3, job_id = $4 WHERE id = $1",
        delivery_id,
        step,
        next_at,
        job_id,
    )


async def ask_again(delivery_id: UUID, job_id: UUID) -> None:
    """From the beginning of the schedule, now."""
    await db.execute(
        """UPDATE webhook_deliveries SET state = 'pending', reason = NULL, step = 0, next_at = now(), job_id = $2,
                  finished_at = NULL WHERE id = $1""",
        delivery_id,
        job_id,
    )


async def insert_test(delivery_id: UUID, webhook_id: UUID, site_id: UUID, event_id: UUID, job_id: UUID) -> None:
    await db.execute(
        """INSERT INTO webhook_deliveries (id, webhook_id, site_id, event_id, event_type, event_version, occurred_at,
                                           payload, is_test, state, attempts, step, next_at, job_id, created_at)
           VALUES ($1, $2, $3, $4, 'webhook.test', 1, now(), jsonb_build_object('id', $2::uuid), true, 'pending', 0, 0,
                   now(), $5, now())""",
        delivery_id,
        webhook_id,
        site_id,
        event_id,
        job_id,
    )


async def prune(keep: timedelta) -> int:
    """Remove a batch of what ended long ago; how many deliveries."""
    return await _remove("state <> 'pending' AND created_at < now() - $1::interval", keep)


async def remove_of(webhook_id: UUID) -> int:
    """Remove a batch of the deliveries of a webhook; how many."""
    return await _remove("webhook_id = $1", webhook_id)


async def _remove(condition: str, argument: object) -> int:
    gone = await db.fetch(
        f"""DELETE FROM webhook_deliveries WHERE id IN (
                SELECT id FROM webhook_deliveries WHERE {condition} LIMIT $2) RETURNING id""",
        argument,
        PRUNE_BATCH,
    )
    ids = [row["id"] for row in gone]
    await db.execute("DELETE FROM webhook_attempts WHERE delivery_id = ANY($1)", ids)
    return len(ids)


async def give_up_forsaken() -> int:
    """End what waits for a job that is no more: somebody cancelled it, or it is kept aside; how many."""
    ended = await db.fetch(
        """WITH ended AS (
               UPDATE webhook_deliveries d SET state = 'failed', next_at = NULL, finished_at = now(),
                      reason = 'its job ended: it was cancelled or kept aside'
               WHERE d.state = 'pending' AND d.created_at < now() - interval '1 hour'
                 AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = d.job_id AND j.state = 'pending')
               RETURNING d.id),
           stopped AS (
               UPDATE webhook_attempts a SET finished_at = now(), error = 'its job ended during this attempt'
               FROM ended e WHERE a.delivery_id = e.id AND a.finished_at IS NULL)
           SELECT id FROM ended"""
    )
    return len(ended)

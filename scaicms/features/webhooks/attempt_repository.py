"""Statements of workers that send: each serves many deliveries at once, of whichever webhooks.

Deliveries are locked before their jobs, in the order of their ids.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from asyncpg import Record

from scaicms.features.webhooks.delivery_repository import Outcome
from scaicms.features.webhooks.line_repository import free
from scaicms.features.webhooks.models import WebhookRow
from scaicms.infra import db
from scaicms.infra.jobs.ledger import DONE
from scaicms.kit import json

# `has_line`: the first delivery that nobody has begun is asleep. One that is awake is claimed soon and looks again.
_DUE = f"""
WITH due AS MATERIALIZED (SELECT * FROM webhook_deliveries WHERE id = ANY($1::uuid[])),
lines AS MATERIALIZED (
    SELECT w.webhook_id, coalesce((
        SELECT j.run_at > now() FROM {free("w.webhook_id")} ORDER BY d.next_at, d.id LIMIT 1), false) AS has_line
    FROM (SELECT DISTINCT webhook_id FROM due) w)
SELECT d.*, l.has_line FROM due d JOIN lines l ON l.webhook_id = d.webhook_id
"""
_LOCKED = "SELECT d.id FROM webhook_deliveries d WHERE d.id = ANY($2::uuid[]) {state} ORDER BY d.id FOR UPDATE"
# An attempt that has no end was interrupted: its worker died, or it still waits for the answer and has no lease.
_BEGIN = f"""
WITH new AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::text[], $6::text[])
        AS n(attempt_id, delivery_id, job_id, fence, url, headers)),
locked AS MATERIALIZED ({_LOCKED.format(state="AND d.state = 'pending'")}),
leased AS MATERIALIZED (
    SELECT n.* FROM locked l JOIN new n ON n.delivery_id = l.id
    JOIN jobs j ON j.id = n.job_id AND j.fence = n.fence AND j.state = 'pending' FOR UPDATE OF j),
interrupted AS (
    UPDATE webhook_attempts a SET finished_at = now(), error = 'its worker was stopped during this attempt'
    FROM leased l WHERE a.delivery_id = l.delivery_id AND a.finished_at IS NULL),
counted AS (
    UPDATE webhook_deliveries d SET attempts = d.attempts + 1, next_at = NULL, job_id = l.job_id
    FROM leased l WHERE d.id = l.delivery_id RETURNING d.id, d.attempts)
INSERT INTO webhook_attempts (id, delivery_id, number, url, started_at, request_headers, response_truncated)
SELECT l.attempt_id, l.delivery_id, c.attempts, l.url, clock_timestamp(), l.headers::jsonb, false
FROM leased l JOIN counted c ON c.id = l.delivery_id
RETURNING delivery_id
"""
# A delivery may be gone with its webhook; its job is done all the same.
_DELIVERED = f"""
WITH new AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::uuid[], $6::float8[], $7::int[],
                         $8::text[], $9::bytea[], $10::bool[])
        AS n(attempt_id, delivery_id, job_id, fence, webhook_id, latency, status, headers, body, truncated)),
locked AS MATERIALIZED ({_LOCKED.format(state="")}),
done AS (
    UPDATE jobs j SET {DONE} FROM new n LEFT JOIN locked l ON l.id = n.delivery_id
    WHERE j.id = n.job_id AND j.fence = n.fence AND j.state = 'pending' RETURNING j.id),
kept AS MATERIALIZED (SELECT n.* FROM new n JOIN done o ON o.id = n.job_id),
ended AS (
    UPDATE webhook_attempts a
    SET finished_at = clock_timestamp(), latency_ms = k.latency, status = k.status, error = NULL,
        response_headers = k.headers::jsonb, response_body = k.body, response_truncated = k.truncated
    FROM kept k WHERE a.id = k.attempt_id),
finished AS (
    UPDATE webhook_deliveries d SET state = 'delivered', reason = NULL, next_at = NULL, finished_at = now()
    FROM kept k WHERE d.id = k.delivery_id),
healthy AS (
    UPDATE webhooks SET failing_since = NULL
    WHERE id IN (SELECT webhook_id FROM kept) AND failing_since IS NOT NULL)
SELECT id FROM done
"""


class Attempt(NamedTuple):
    """An attempt that is about to be made, under the lease of a job."""

    id: UUID
    delivery_id: UUID
    job_id: UUID
    fence: int
    url: str
    headers: dict[str, str]
    """As they are shown, without secrets."""


class Delivered(NamedTuple):
    """An attempt that was a success."""

    attempt_id: UUID
    delivery_id: UUID
    job_id: UUID
    fence: int
    webhook_id: UUID
    outcome: Outcome


async def due(delivery_ids: Sequence[UUID]) -> dict[UUID, Record]:
    """Those of these deliveries that exist, and whether others stand in line for the same webhook (`has_line`)."""
    return {row["id"]: row for row in await db.fetch(_DUE, list(delivery_ids))}


async def webhooks(webhook_ids: set[UUID]) -> dict[UUID, WebhookRow]:
    return {row.id: row for row in await WebhookRow.filter(id__in=webhook_ids)}


async def begin(attempts: Sequence[Attempt]) -> set[UUID]:
    """Write down that requests are about to be sent; for which deliveries. The others are pending no more, or their job
    is not this worker's any more."""
    columns = [list(column) for column in zip(*attempts, strict=True)]
    headers = [json.dumps_text(one.headers) for one in attempts]
    return {row["delivery_id"] for row in await db.fetch(_BEGIN, *columns[:-1], headers)}


async def end_delivered(delivered: Sequence[Delivered]) -> set[UUID]:
    """Write down answers, and that these deliveries and their jobs are done; which jobs. Nothing is written for jobs
    that are not this worker's any more."""
    columns = [list(column) for column in zip(*delivered, strict=True)]
    outcomes = [one.outcome for one in delivered]
    rows = await db.fetch(
        _DELIVERED,
        *columns[:-1],
        [outcome.latency_ms for outcome in outcomes],
        [outcome.status for outcome in outcomes],
        [json.dumps_text(outcome.headers) for outcome in outcomes],
        [outcome.body for outcome in outcomes],
        [outcome.truncated for outcome in outcomes],
    )
    return {row["id"] for row in rows}

"""What operators do to jobs and queues: cancel, retry, pause, resume.

`site_id` None reaches the jobs of every site; otherwise the jobs of that site alone.
"""

import time
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asyncpg import Record

from scaicms.infra import db
from scaicms.infra.db.notices import notify
from scaicms.infra.jobs.declare import QUEUES
from scaicms.infra.jobs.doorbell import ring_all
from scaicms.infra.jobs.giving_up import Promised, tell_waiting
from scaicms.kit import json

if TYPE_CHECKING:  # services are built over resources, which hold the doorbell: a cycle at run time
    from scaicms.infra.services import Services

CANCELLING = "jobs.cancelling"
"""Topic of the notices that ask a running job (the subject) to stop."""
FAILED = ("dead", "quarantined")
WOKEN = 100
"""Due jobs that are rung for when a pause ends. A worker that finds more goes on without a doorbell."""
RETRYABLE = (*FAILED, "cancelled")

STOPPED = "An operator cancelled the job."

# Whatever waits for the job is written before the job's row is: its locks come first, as when the job is done.
_WAITING = """
SELECT id, name, version, payload, site_id FROM jobs
WHERE id = $1 AND state = 'pending' AND lease_until IS NULL AND ($2::uuid IS NULL OR site_id = $2)
"""
_END = """
UPDATE jobs SET state = 'cancelled', cancel_requested = true, dedupe_key = NULL, last_error = $2,
       finished_at = clock_timestamp()
WHERE id = $1 AND state = 'pending' AND lease_until IS NULL RETURNING true
"""
_ASK = """
UPDATE jobs SET cancel_requested = true, dedupe_key = NULL
WHERE id = $1 AND state = 'pending' AND lease_until IS NOT NULL AND ($2::uuid IS NULL OR site_id = $2) RETURNING true
"""

_RETRY = """
UPDATE jobs SET state = 'pending', attempts = 0, lost_leases = 0, rings = rings + 1, run_at = now(),
       finished_at = NULL, started_at = NULL, cancel_requested = false, dedupe_key = NULL
WHERE id IN (
    SELECT id FROM jobs WHERE state = ANY($1) AND ($2::uuid IS NULL OR site_id = $2)
      AND ($3::uuid IS NULL OR id = $3) AND ($4::text IS NULL OR queue = $4) AND ($5::text IS NULL OR name = $5)
    ORDER BY id LIMIT $6 FOR UPDATE SKIP LOCKED)
RETURNING id, queue, rings
"""


_PRUNE = """
DELETE FROM jobs WHERE id IN (
    SELECT old.id FROM unnest($1::text[]) AS q(queue) CROSS JOIN LATERAL (
        SELECT id FROM jobs
        WHERE queue = q.queue AND state <> 'pending'
          AND finished_at < now() - least($2::interval, $3)
          AND finished_at < now() - CASE WHEN state IN ('dead', 'quarantined') THEN $3::interval ELSE $2 END
        ORDER BY finished_at LIMIT $4 FOR UPDATE SKIP LOCKED) old)
"""


class _BegunError(Exception):
    """A worker has begun the job meanwhile."""


async def cancel(job_id: UUID, *, site_id: UUID | None, services: "Services | None" = None) -> str | None:
    """Ask for an end: `cancelled` when nobody had begun, `pending` when its worker has been asked, None when there
    is no such job that could still be stopped. Needs an open transaction; `services` are for whatever waits for it."""
    row = await db.fetchrow(_WAITING, job_id, site_id)
    if row is not None:
        with suppress(_BegunError):
            await _end(services, row)
            return "cancelled"
    if await db.fetchval(_ASK, job_id, site_id):
        await notify(CANCELLING, str(job_id))
        return "pending"
    return None


async def _end(services: "Services | None", row: Record) -> None:
    job = Promised(row["id"], row["name"], row["version"], json.loads(row["payload"]), row["site_id"])
    async with db.transaction():
        await tell_waiting(services, job, "cancelled", STOPPED)
        if not await db.fetchval(_END, job.id, STOPPED):
            raise _BegunError


async def retry(job_id: UUID, *, site_id: UUID | None) -> bool:
    """Put an ended job (dead, quarantined, cancelled) back as if it were new. Needs an open transaction."""
    return await _retry(RETRYABLE, site_id, job_id, None, None, 1) == 1


async def retry_failed(*, site_id: UUID | None, queue: str | None, name: str | None, limit: int) -> int:
    """Put dead and quarantined jobs back, oldest first; how many. Needs an open transaction."""
    return await _retry(FAILED, site_id, None, queue, name, limit)


async def _retry(states: tuple[str, ...], *where: Any) -> int:
    rows = await db.fetch(_RETRY, list(states), *where)
    due: dict[tuple[str, int], list[UUID]] = defaultdict(list)
    for row in rows:
        due[row["queue"], row["rings"]].append(row["id"])

    async def ring() -> None:
        for (queue, number), job_ids in due.items():
            await ring_all({queue: job_ids}, ring=number)

    db.after_commit(ring)
    return len(rows)


async def pause(queue: str) -> bool:
    """Let nobody take work from the queue; what has begun is finished. False when it is paused already."""
    sql = "INSERT INTO queue_pauses (queue, paused_at) VALUES ($1, now()) ON CONFLICT DO NOTHING"
    return await db.execute(sql, queue) == 1


async def resume(queue: str) -> bool:
    """End a pause and wake workers for the jobs that are due. False when there was none.

    Doorbells that rang during the pause were answered in vain. The sweeper rings for what these leave over.
    """
    if await db.execute("DELETE FROM queue_pauses WHERE queue = $1", queue) == 0:
        return False
    due = await db.fetch(
        """SELECT id FROM jobs WHERE queue = $1 AND state = 'pending' AND lease_until IS NULL AND run_at <= now()
           LIMIT $2""",
        queue,
        WOKEN,
    )
    if due:
        await ring_all({queue: [row["id"] for row in due]}, ring=f"r{time.time_ns()}")
    return True


async def prune(*, done: timedelta, failed: timedelta, limit: int) -> int:
    """Remove up to `limit` jobs of each queue that ended longer ago than this (dead and quarantined: `failed`);
    how many."""
    return await db.execute(_PRUNE, list(QUEUES), done, failed, limit)

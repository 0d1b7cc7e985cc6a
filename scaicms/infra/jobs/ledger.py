"""The ledger's own statements: claim, renew, finish, retry, release. Each is one fenced UPDATE.

Whoever holds the newest `fence` of a row holds the job; everybody else's writes touch no row.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from scaicms.infra import db
from scaicms.infra.jobs.doorbell import ring_again
from scaicms.kit import json

LEASE_SECONDS = 15.0
MAX_LOST_LEASES = 3
BACKOFF_BASE_SECONDS = 2.0
BACKOFF_CAP_SECONDS = 600.0

_CLAIMED = "id, queue, name, version, payload, site_id, attempts, max_attempts, fence, progress, created_at"

_CLAIM = f"""
UPDATE jobs SET fence = fence + 1, lease_until = now() + $2 * interval '1 second', worker = $3, dedupe_key = NULL,
       started_at = now(), lost_leases = lost_leases + (lease_until IS NOT NULL)::int
WHERE id = $1 AND state = 'pending' AND run_at <= now() AND (lease_until IS NULL OR lease_until < now())
  AND name = ANY($4) AND lost_leases + (lease_until IS NOT NULL)::int < {MAX_LOST_LEASES}
RETURNING {_CLAIMED}
"""

_CLAIM_DUE = f"""
UPDATE jobs SET fence = fence + 1, lease_until = now() + $2 * interval '1 second', worker = $3, dedupe_key = NULL,
       started_at = now(), lost_leases = lost_leases + (lease_until IS NOT NULL)::int
WHERE id IN (
    SELECT id FROM jobs
    WHERE queue = $1 AND state = 'pending' AND run_at <= now() AND (lease_until IS NULL OR lease_until < now())
      AND name = ANY($4) AND lost_leases + (lease_until IS NOT NULL)::int < {MAX_LOST_LEASES}
    ORDER BY priority DESC, run_at LIMIT $5 FOR UPDATE SKIP LOCKED)
RETURNING {_CLAIMED}
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker holds until its lease runs out."""

    id: UUID
    queue: str
    name: str
    version: int
    payload: Any
    site_id: UUID | None
    attempts: int
    max_attempts: int
    fence: int
    progress: Any


def _claim(row: Any) -> Claim:
    return Claim(
        id=row["id"],
        queue=row["queue"],
        name=row["name"],
        version=row["version"],
        payload=json.loads(row["payload"]),
        site_id=row["site_id"],
        attempts=row["attempts"],
        max_attempts=row["max_attempts"],
        fence=row["fence"],
        progress=json.loads(row["progress"]) if row["progress"] is not None else None,
    )


async def claim(job_id: UUID, *, worker: str, names: Sequence[str]) -> Claim | None:
    """Take the job if it is due, free and of a name this worker knows."""
    row = await db.fetchrow(_CLAIM, job_id, LEASE_SECONDS, worker, list(names))
    return _claim(row) if row is not None else None


async def claim_due(queue: str, *, worker: str, names: Sequence[str], limit: int) -> list[Claim]:
    """Take up to `limit` due jobs without any doorbell: the way of working while Redis is away."""
    rows = await db.fetch(_CLAIM_DUE, queue, LEASE_SECONDS, worker, list(names), limit)
    return [_claim(row) for row in rows]


async def renew(job_id: UUID, fence: int) -> bool | None:
    """Prolong the lease. None when it was lost, else whether somebody asked the job to stop."""
    cancelled = await db.fetchval(
        """UPDATE jobs SET lease_until = now() + $3 * interval '1 second'
           WHERE id = $1 AND fence = $2 AND state = 'pending' RETURNING cancel_requested""",
        job_id,
        fence,
        LEASE_SECONDS,
    )
    return bool(cancelled) if cancelled is not None else None


async def checkpoint(job_id: UUID, fence: int, progress: Any) -> bool:
    """Write progress in the transaction of the work that it describes; False when the lease was lost."""
    touched = await db.execute(
        """UPDATE jobs SET progress = $3::jsonb, lease_until = now() + $4 * interval '1 second'
           WHERE id = $1 AND fence = $2 AND state = 'pending'""",
        job_id,
        fence,
        json.dumps_text(progress),
        LEASE_SECONDS,
    )
    return touched == 1


async def finish(job_id: UUID, fence: int, result: Any = None) -> bool:
    """Done. False when the lease was lost: the caller rolls back."""
    touched = await db.execute(
        """UPDATE jobs SET state = 'done', lease_until = NULL, finished_at = clock_timestamp(), last_error = NULL,
                  attempts = attempts + 1, result = $3::jsonb
           WHERE id = $1 AND fence = $2 AND state = 'pending'""",
        job_id,
        fence,
        json.dumps_text(result) if result is not None else None,
    )
    return touched == 1


def backoff_seconds(attempts: int) -> float:
    """Full jitter: anywhere between nothing and an exponentially growing bound.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    bound = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2.0 ** min(attempts, 20))
    return random.uniform(0, bound)  # noqa: S311 - spreading load, not keeping a secret


async def fail(claim: Claim, error: str, *, permanent: bool, retry_after: float | None = None) -> str:
    """Charge an attempt: retry later, or dead when it was the last or no try can help. The new state."""
    dead = permanent or claim.attempts + 1 >= claim.max_attempts
    delay = retry_after if retry_after is not None else backoff_seconds(claim.attempts)
    ring = await db.fetchval(
        """UPDATE jobs SET attempts = attempts + 1, rings = rings + 1, lease_until = NULL, last_error = $3,
                  state = CASE WHEN $4 THEN 'dead' ELSE 'pending' END,
                  finished_at = CASE WHEN $4 THEN clock_timestamp() END,
                  run_at = CASE WHEN $4 THEN run_at ELSE clock_timestamp() + $5 * interval '1 second' END
           WHERE id = $1 AND fence = $2 AND state = 'pending' RETURNING rings""",
        claim.id,
        claim.fence,
        error[:4000],
        dead,
        delay,
    )
    if dead:
        return "dead"
    if ring is not None:
        await ring_again(claim.queue, claim.id, ring=ring, delay=delay)
    return "retried"


async def release(claim: Claim) -> None:
    """Give the job back to be run again at once (a worker told to stop, a turn used up): no attempt is charged."""
    ring = await db.fetchval(
        """UPDATE jobs SET lease_until = NULL, started_at = NULL, rings = rings + 1
           WHERE id = $1 AND fence = $2 AND state = 'pending' RETURNING rings""",
        claim.id,
        claim.fence,
    )
    if ring is not None:
        await ring_again(claim.queue, claim.id, ring=ring)


async def mark_cancelled(claim: Claim) -> None:
    await db.execute(
        """UPDATE jobs SET state = 'cancelled', lease_until = NULL, finished_at = clock_timestamp()
           WHERE id = $1 AND fence = $2 AND state = 'pending'""",
        claim.id,
        claim.fence,
    )

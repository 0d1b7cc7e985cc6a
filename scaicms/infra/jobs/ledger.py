"""What a worker does with a job that it holds: renew, report, finish, fail, release. Each is one fenced UPDATE.

Whoever holds the newest `fence` of a row holds the job; everybody else's writes touch no row.
"""

import random
from typing import Any
from uuid import UUID

from scaicms.infra import db
from scaicms.infra.jobs.claims import LEASE_SECONDS, Claim
from scaicms.infra.jobs.doorbell import ring_again
from scaicms.kit import json

BACKOFF_BASE_SECONDS = 2.0
BACKOFF_CAP_SECONDS = 600.0


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
    """Charge an attempt: retry later, or dead when it was the last or no try can help; who was asked to stop is
    not tried again. The outcome."""
    dead = permanent or claim.attempts + 1 >= claim.max_attempts
    delay = retry_after if retry_after is not None else backoff_seconds(claim.attempts)
    row = await db.fetchrow(
        """UPDATE jobs SET attempts = attempts + 1, rings = rings + 1, lease_until = NULL, last_error = $3,
                  state = CASE WHEN $4 THEN 'dead' WHEN cancel_requested THEN 'cancelled' ELSE 'pending' END,
                  finished_at = CASE WHEN $4 OR cancel_requested THEN clock_timestamp() END,
                  run_at = CASE WHEN $4 THEN run_at ELSE clock_timestamp() + $5 * interval '1 second' END
           WHERE id = $1 AND fence = $2 AND state = 'pending' RETURNING rings, state""",
        claim.id,
        claim.fence,
        error[:4000],
        dead,
        delay,
    )
    if row is None:
        return "lease_lost"
    if row["state"] == "pending":
        await ring_again(claim.queue, claim.id, ring=row["rings"], delay=delay)
        return "retried"
    return str(row["state"])


async def release(claim: Claim, *, after: float = 0) -> None:
    """Give the job back to be run again at once, or `after` so many seconds (a worker told to stop, a turn used up):
    no attempt is charged."""
    ring = await db.fetchval(
        """UPDATE jobs SET lease_until = NULL, started_at = NULL, rings = rings + 1,
                  run_at = CASE WHEN $3 > 0 THEN clock_timestamp() + $3 * interval '1 second' ELSE run_at END
           WHERE id = $1 AND fence = $2 AND state = 'pending' RETURNING rings""",
        claim.id,
        claim.fence,
        after,
    )
    if ring is not None:
        await ring_again(claim.queue, claim.id, ring=ring, delay=after)


async def mark_cancelled(claim: Claim) -> None:
    await db.execute(
        """UPDATE jobs SET state = 'cancelled', lease_until = NULL, finished_at = clock_timestamp()
           WHERE id = $1 AND fence = $2 AND state = 'pending'""",
        claim.id,
        claim.fence,
    )

"""What a worker does with a job that it holds: renew, report, finish, fail, release. Each is one fenced UPDATE.

Whoever holds the newest `fence` of a row holds the job; everybody else's writes touch no row.
"""

import random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scaicms.infra import db
from scaicms.infra.jobs.claims import LEASE_SECONDS, Claim
from scaicms.infra.jobs.doorbell import ring_again
from scaicms.kit import json

if TYPE_CHECKING:
    from scaicms.infra.jobs.expired_leases import Expired

MAX_ERROR_CHARACTERS = 4000
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
    """Write progress in the transaction of the work that it describes; False when the lease was lost.

    Outages and dead workers count since the last progress: a long job outlives any number of them.
    """
    touched = await db.execute(
        """UPDATE jobs SET progress = $3::jsonb, lease_until = now() + $4 * interval '1 second',
                  lost_leases = CASE WHEN progress IS DISTINCT FROM $3::jsonb THEN 0 ELSE lost_leases END,
                  outages = CASE WHEN progress IS DISTINCT FROM $3::jsonb THEN 0 ELSE outages END
           WHERE id = $1 AND fence = $2 AND state = 'pending'""",
        job_id,
        fence,
        json.dumps_text(progress),
        LEASE_SECONDS,
    )
    return touched == 1


DONE = """state = 'done', lease_until = NULL, finished_at = clock_timestamp(), last_error = NULL,
          attempts = attempts + 1"""
"""What an UPDATE of `jobs` sets where a job is done; for statements that finish jobs along with their effects."""


async def finish(job_id: UUID, fence: int, result: Any = None) -> bool:
    """Done. False when the lease was lost: the caller rolls back."""
    touched = await db.execute(
        f"""UPDATE jobs SET {DONE}, result = $3::jsonb WHERE id = $1 AND fence = $2 AND state = 'pending'""",
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


async def retry_later(claim: Claim, error: str, *, retry_after: float | None = None) -> bool:
    """Charge an attempt and try again later. False when the lease was lost, or somebody has asked the job to stop."""
    delay = retry_after if retry_after is not None else backoff_seconds(claim.attempts)
    return await _put_back(claim, delay, "attempts = attempts + 1, last_error = $4", _storable(error))


async def return_uncharged(claim: Claim) -> bool:
    """Put back a job that an outage of the engines ended; False when the lease was lost, or the job shall stop."""
    return await _put_back(claim, backoff_seconds(min(claim.outages, 5)), "outages = outages + 1, started_at = NULL")


async def _put_back(claim: Claim, delay: float, what: str, *arguments: object) -> bool:
    ring = await db.fetchval(
        f"""UPDATE jobs SET {what}, rings = rings + 1, lease_until = NULL,
                   run_at = clock_timestamp() + $3 * interval '1 second'
            WHERE id = $1 AND fence = $2 AND state = 'pending' AND NOT cancel_requested RETURNING rings""",
        claim.id,
        claim.fence,
        delay,
        *arguments,
    )
    if ring is not None:
        await ring_again(claim.queue, claim.id, ring=ring, delay=delay)
    return ring is not None


async def is_asked_to_stop(claim: Claim) -> bool:
    """Whether the job is still this worker's and somebody has asked for its end."""
    sql = "SELECT cancel_requested FROM jobs WHERE id = $1 AND fence = $2 AND state = 'pending'"
    return bool(await db.fetchval(sql, claim.id, claim.fence))


async def end(claim: Claim, state: str, error: str | None, *, charged: bool) -> bool:
    """Write that the job is `dead` or `cancelled`; False when the lease was lost: the caller rolls back."""
    touched = await db.execute(
        """UPDATE jobs SET state = $3, lease_until = NULL, finished_at = clock_timestamp(), rings = rings + 1,
                  attempts = attempts + $5::int, last_error = coalesce($4, last_error)
           WHERE id = $1 AND fence = $2 AND state = 'pending'""",
        claim.id,
        claim.fence,
        state,
        None if error is None else _storable(error),
        int(charged),
    )
    return touched == 1


async def quarantine(lease: "Expired", reason: str) -> bool:
    """Set a job aside whose lease ran out; False when somebody else has taken it back meanwhile."""
    touched = await db.execute(
        """UPDATE jobs SET state = 'quarantined', lease_until = NULL, finished_at = clock_timestamp(),
                  lost_leases = lost_leases + 1, last_error = $3
           WHERE id = $1 AND fence = $2 AND state = 'pending' AND lease_until < now()""",
        lease.id,
        lease.fence,
        _storable(reason),
    )
    return touched == 1


def _storable(error: str) -> str:
    return error[:MAX_ERROR_CHARACTERS].replace("\0", " ")


async def release(claim: Claim, *, after: float = 0) -> None:
    """Give the job back to be run again at once, or `after` so many seconds (a worker told to stop, a turn used up):
    no attempt is charged."""
    ring = await db.fetchval(
        """UPDATE jobs SET lease_until = NULL, started_at = NULL, rings = rings + 1,
                  run_at = CASE WHEN $3::float8 > 0 THEN clock_timestamp() + $3 * interval '1 second' ELSE run_at END
           WHERE id = $1 AND fence = $2 AND state = 'pending' RETURNING rings""",
        claim.id,
        claim.fence,
        after,
    )
    if ring is not None:
        await ring_again(claim.queue, claim.id, ring=ring, delay=after)

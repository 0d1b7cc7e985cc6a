"""Moving free jobs in time: behind others, or to the front at once."""

import time
from collections.abc import Sequence
from uuid import UUID

from scaicms.infra import db
from scaicms.infra.jobs.doorbell import Bell, ring_bells

# Both statements skip rows that somebody holds: those are being claimed.
_PUT_OFF = """
UPDATE jobs SET run_at = now() + ($2 + random() * $3) * interval '1 second' WHERE id IN (
    SELECT id FROM jobs WHERE id = ANY($1::uuid[]) AND state = 'pending' AND lease_until IS NULL AND run_at <= now()
    FOR UPDATE SKIP LOCKED)
RETURNING id, queue, extract(epoch FROM run_at - now())::float8 AS delay
"""
_BRING_FORWARD = """
UPDATE jobs SET run_at = now() WHERE id IN (
    SELECT id FROM jobs WHERE id = ANY($1::uuid[]) AND state = 'pending' AND lease_until IS NULL AND run_at > now()
    FOR UPDATE SKIP LOCKED)
RETURNING id, queue, 0::float8 AS delay
"""


async def put_off(job_ids: Sequence[UUID], *, after: float, spread: float) -> int:
    """Make due jobs that nobody has begun due again at some time between `after` and `after + spread` seconds from now;
    how many. Opens a transaction of its own."""
    return await _move(_PUT_OFF, list(job_ids), after, spread)


async def bring_forward(job_ids: Sequence[UUID]) -> int:
    """Make deferred jobs due now; how many there were. Opens a transaction of its own."""
    return await _move(_BRING_FORWARD, list(job_ids))


async def _move(sql: str, *arguments: object) -> int:
    """Run it and ring for its rows at their new times."""
    async with db.transaction():
        bells = [Bell(row["queue"], row["id"], row["delay"]) for row in await db.fetch(sql, *arguments)]
        if bells:
            db.after_commit(lambda: ring_bells(bells, ring=f"m{time.time_ns()}"))
    return len(bells)

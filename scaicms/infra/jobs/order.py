"""Moving free jobs in time: behind others, or to the front at once. Each is one statement, outside any transaction."""

import time
from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from scaicms.infra import db
from scaicms.infra.jobs.doorbell import Bell, ring_bells

# Rows that somebody holds are passed over: those are being claimed.
_PUT_OFF = """
UPDATE jobs SET run_at = now() + ($2 + random() * $3) * interval '1 second' WHERE id = ANY(ARRAY(
    SELECT id FROM jobs WHERE id = ANY($1::uuid[]) AND state = 'pending' AND lease_until IS NULL AND run_at <= now()
    FOR UPDATE SKIP LOCKED))
RETURNING id, queue, extract(epoch FROM run_at - now())::float8 AS delay
"""


async def put_off(job_ids: Sequence[UUID], *, after: float, spread: float) -> int:
    """Make due jobs that nobody has begun due again at some time between `after` and `after + spread` seconds from now;
    how many."""
    return await _ring(await db.fetch(_PUT_OFF, list(job_ids), after, spread)) if job_ids else 0


async def bring_forward(chosen: str, *arguments: object) -> int:
    """Make deferred jobs due now that nobody has begun; how many there were. `chosen` is SQL that gives ids of jobs."""
    sql = f"""UPDATE jobs SET run_at = now() WHERE id = ANY(ARRAY(
                  SELECT id FROM jobs WHERE id = ANY(ARRAY({chosen})) AND state = 'pending' AND lease_until IS NULL
                    AND run_at > now() FOR UPDATE SKIP LOCKED))
              RETURNING id, queue, 0::float8 AS delay"""
    return await _ring(await db.fetch(sql, *arguments))


async def _ring(rows: Sequence[Record]) -> int:
    """Ring for moved jobs at their new times."""
    if rows:
        await ring_bells([Bell(row["queue"], row["id"], row["delay"]) for row in rows], ring=f"m{time.time_ns()}")
    return len(rows)

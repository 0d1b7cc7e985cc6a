"""Periodic work: a row in PostgreSQL says when it is next due; whoever moves it on promises the job with it."""

from collections.abc import Sequence

from scaicms.infra import db
from scaicms.infra.jobs.declare import Periodic
from scaicms.infra.jobs.enqueue import enqueue_all

# A new schedule is due at once. Neither statement waits for who has locked a row: a worker must be able to start.
_DECLARE = """
INSERT INTO schedules (name, every_seconds, next_at)
SELECT s.name, s.every_seconds, now() FROM unnest($1::text[], $2::int[]) AS s(name, every_seconds)
ON CONFLICT (name) DO NOTHING
"""
# One whose period changed is due within the new period.
_CHANGE = """
WITH changed AS (
    SELECT o.name, s.every_seconds FROM schedules o JOIN unnest($1::text[], $2::int[]) AS s(name, every_seconds)
        ON s.name = o.name AND s.every_seconds <> o.every_seconds FOR UPDATE OF o SKIP LOCKED)
UPDATE schedules o SET every_seconds = c.every_seconds,
    next_at = least(o.next_at, now() + c.every_seconds * interval '1 second')
FROM changed c WHERE c.name = o.name
"""

# On the grid of its period, past what was missed: work that waited while nobody ran is done once.
_MOVE_ON = """
WITH due AS (SELECT name FROM schedules WHERE next_at <= now() AND name = ANY($1) FOR UPDATE SKIP LOCKED)
UPDATE schedules s SET last_at = next_at, next_at = next_at + every_seconds * interval '1 second'
    * (1 + floor(extract(epoch FROM now() - next_at) / every_seconds))
FROM due WHERE s.name = due.name RETURNING s.name
"""


async def declare(periodics: Sequence[Periodic]) -> None:
    """Make schedules known; each worker does this at start-up."""
    names = [periodic.job.name for periodic in periodics]
    seconds = [int(periodic.every.total_seconds()) for periodic in periodics]
    for sql in (_DECLARE, _CHANGE):
        await db.execute(sql, names, seconds)


async def promise_due(periodics: Sequence[Periodic]) -> None:
    """Promise what is due, once; needs an open transaction. A run that still waits takes the next one in."""
    by_name = {periodic.job.name: periodic for periodic in periodics}
    moved = await db.fetch(_MOVE_ON, list(by_name)) if by_name else []
    await enqueue_all(
        [
            by_name[row["name"]].job.request(
                by_name[row["name"]].payload, site_id=None, dedupe_key=f"periodic:{row['name']}"
            )
            for row in moved
        ]
    )

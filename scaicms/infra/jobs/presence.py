"""Which workers are alive, by rows in PostgreSQL: what decides whether a lease that ran out cost a worker its life.

A worker writes its row before its first claim and every few seconds. While the database itself is away nobody can, and
nobody is mistaken for dead because of it: the sweeper judges by the time since it can reach the database again
(`steady_since`).
"""

import asyncio
import contextlib

import structlog

from scaicms.infra import db
from scaicms.infra.jobs.outages import LEDGER_ERRORS

BEAT_SECONDS = 3.0
ANSWER_SECONDS = 3.0
RETRY_SECONDS = 1.0
FORGOTTEN_HOURS = 24

_BEAT = """
INSERT INTO workers (name, started_at, beat_at, session_pid)
VALUES ($1, clock_timestamp(), clock_timestamp(), pg_backend_pid())
ON CONFLICT (name) DO UPDATE SET beat_at = excluded.beat_at, session_pid = excluded.session_pid,
    started_at = CASE WHEN $2 THEN excluded.started_at ELSE workers.started_at END
"""
log = structlog.get_logger(__name__)


async def begin(worker: str) -> None:
    """Write the row of a process that starts. A former process of this name is dead by that."""
    await db.execute(_BEAT, worker, True)


async def beat_forever(worker: str) -> None:
    """Show that the process lives until cancelled; an outage of the database is waited out."""
    while True:
        try:
            async with db.aside():
                await db.within(ANSWER_SECONDS, db.execute(_BEAT, worker, False))
            pause = BEAT_SECONDS
        except LEDGER_ERRORS as error:
            log.warning("presence.not_written", error=f"{type(error).__name__}: {error}")
            pause = RETRY_SECONDS
        await asyncio.sleep(pause)


async def end(worker: str) -> None:
    """Take the row away: the process has handed its jobs back."""
    with contextlib.suppress(*LEDGER_ERRORS):
        async with db.aside():
            await db.within(ANSWER_SECONDS, db.execute("DELETE FROM workers WHERE name = $1", worker))


async def forget_old() -> int:
    """Remove rows of processes that ended without doing so; how many."""
    sql = "DELETE FROM workers WHERE beat_at < clock_timestamp() - $1 * interval '1 hour'"
    return await db.execute(sql, FORGOTTEN_HOURS)

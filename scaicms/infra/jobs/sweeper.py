"""The sweeper: finds due work that nobody is about to do and rings for it again.

Runs in every worker, every few seconds, one at a time under an advisory lock. It is what makes the doorbell
optional: a flushed Redis, a lost message, a killed worker all end here.
"""

import asyncio
from collections import defaultdict
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from prometheus_client import Counter
from redis.exceptions import RedisError

from scaicms.infra import db
from scaicms.infra.jobs.doorbell import Doorbell, arq_queue, message_id
from scaicms.infra.jobs.ledger import MAX_LOST_LEASES

SWEEP_SECONDS = 3.0
BATCH = 500
ADVISORY_LOCK = 0x5CA1C0DE
# A doorbell that was rung with the commit is given this long to arrive before its absence means anything.
GRACE = "1 second"

_rerung = Counter("scaicms_sweeper_rings_total", "Due jobs whose doorbell was missing", ["queue"])
_quarantined = Counter("scaicms_jobs_quarantined_total", "Jobs whose worker died three times", ["queue"])
log = structlog.get_logger(__name__)

_QUARANTINE = f"""
UPDATE jobs SET state = 'quarantined', finished_at = now(), lease_until = NULL, lost_leases = lost_leases + 1,
       last_error = 'The worker died or froze during this job {MAX_LOST_LEASES} times; it is kept aside.'
WHERE state = 'pending' AND lease_until < now() AND lost_leases + 1 >= {MAX_LOST_LEASES}
RETURNING queue
"""

_DUE = f"""
SELECT id, queue, rings, lease_until IS NOT NULL AS lost FROM jobs
WHERE state = 'pending' AND run_at <= now() - interval '{GRACE}' AND (lease_until IS NULL OR lease_until < now())
ORDER BY priority DESC, run_at LIMIT {BATCH}
FOR UPDATE SKIP LOCKED
"""

_RING = """
UPDATE jobs SET rings = rings + 1, lost_leases = lost_leases + (lease_until IS NOT NULL)::int, lease_until = NULL
WHERE id = ANY($1)
"""


async def sweep(redis: ArqRedis) -> int:
    """One round. The number of doorbells that had to be rung again."""
    async with db.transaction():
        if not await db.fetchval("SELECT pg_try_advisory_xact_lock($1)", ADVISORY_LOCK):
            return 0
        for row in await db.fetch(_QUARANTINE):
            _quarantined.labels(row["queue"]).inc()
        rows = await db.fetch(_DUE)
        if not rows:
            return 0
        async with redis.pipeline(transaction=False) as pipe:
            for row in rows:
                old = message_id(row["id"], row["rings"])
                # A dead worker's message stays behind its in-progress key, where ARQ would pass it over for
                # minutes: take it away and ring anew.
                pipe.zrem(arq_queue(row["queue"]), old) if row["lost"] else pipe.zscore(arq_queue(row["queue"]), old)
            answers = await pipe.execute()
        missing = [row for row, answer in zip(rows, answers, strict=True) if row["lost"] or answer is None]
        if missing:
            await db.execute(_RING, [row["id"] for row in missing])
    await _ring(redis, [(row["queue"], row["rings"] + 1, row["id"]) for row in missing])
    return len(missing)


async def _ring(redis: ArqRedis, missing: list[tuple[str, int, UUID]]) -> None:
    groups: dict[tuple[str, int], list[UUID]] = defaultdict(list)
    for queue, ring, job_id in missing:
        groups[queue, ring].append(job_id)
    doorbell = Doorbell(redis)
    for (queue, ring), job_ids in groups.items():
        _rerung.labels(queue).inc(len(job_ids))
        await doorbell.ring(queue, job_ids, ring=ring)


async def sweep_forever(redis: ArqRedis) -> None:
    """Sweep until cancelled; an outage of either engine is waited out."""
    while True:
        try:
            await sweep(redis)
        except (RedisError, OSError) as error:
            log.warning("sweep.failed", error=f"{type(error).__name__}: {error}")
        except Exception:
            log.exception("sweep.failed")
        await asyncio.sleep(SWEEP_SECONDS)

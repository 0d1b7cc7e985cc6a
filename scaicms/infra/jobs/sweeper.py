"""The sweeper: finds due work that nobody is about to do and rings for it again.

Runs in every worker, every few seconds, one at a time under an advisory lock. It is what makes the doorbell
optional: a flushed Redis, a lost message, a killed worker all end here. What only PostgreSQL is needed for (expired
leases, periodic work) goes on while Redis is away.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from prometheus_client import Counter as Metric
from redis.exceptions import RedisError

from scaicms.infra import db
from scaicms.infra.jobs.claims import NO_SITE
from scaicms.infra.jobs.declare import QUEUES, Periodic
from scaicms.infra.jobs.doorbell import Doorbell, arq_queue
from scaicms.infra.jobs.periodic import promise_due

SWEEP_SECONDS = 3.0
MAX_LOST_LEASES = 3
APART_SECONDS = 60
# Doorbells for the first of a queue's due jobs are enough: a worker that finds more goes on without them.
MAX_RINGS = 200
ADVISORY_LOCK = 0x5CA1C0DE
# A doorbell that was rung with the commit is given this long to arrive before its absence means anything.
GRACE_SECONDS = 1.0

_rerung = Metric("scaicms_sweeper_rings_total", "Due jobs whose doorbell was missing", ["queue"])
_expired = Metric("scaicms_leases_expired_total", "Jobs taken back from workers that died or froze", ["queue"])
_quarantined = Metric("scaicms_jobs_quarantined_total", "Jobs whose worker died three times", ["queue"])
log = structlog.get_logger(__name__)

# Jobs that were lost together are done again together, the culprit among them. After the second time they are spread,
# so that it is alone when it strikes a third time.
_TAKE_BACK = f"""
UPDATE jobs SET lost_leases = lost_leases + 1, lease_until = NULL,
       run_at = CASE WHEN lost_leases >= 1 THEN now() + random() * interval '{APART_SECONDS} seconds' ELSE run_at END,
       state = CASE WHEN lost_leases + 1 >= {MAX_LOST_LEASES} THEN 'quarantined' ELSE 'pending' END,
       finished_at = CASE WHEN lost_leases + 1 >= {MAX_LOST_LEASES} THEN clock_timestamp() END,
       last_error = 'The worker ' || coalesce(worker, '?') || ' died or froze during this job, time '
           || lost_leases + 1 || ' of {MAX_LOST_LEASES} after which it is kept aside.'
WHERE id IN (SELECT id FROM jobs WHERE state = 'pending' AND lease_until < now() FOR UPDATE SKIP LOCKED)
RETURNING id, queue, state, run_at <= now() AS due
"""

# Due for longer than the grace, or due before the next sweep: the seconds from now at which to ring for each.
_DUE = f"""
SELECT j.id, q.queue, greatest(0, extract(epoch FROM j.run_at - now()))::float8 AS delay
FROM unnest($1::text[]) AS q(queue) CROSS JOIN LATERAL (
    SELECT id, run_at FROM jobs
    WHERE queue = q.queue AND state = 'pending' AND lease_until IS NULL
      AND run_at <= now() + $3 * interval '1 second'
      AND (run_at > now() OR run_at < now() - $2 * interval '1 second')
    ORDER BY coalesce(site_id, '{NO_SITE}'::uuid), priority DESC, run_at LIMIT {MAX_RINGS}) j
WHERE NOT EXISTS (SELECT 1 FROM queue_pauses p WHERE p.queue = q.queue)
"""


async def sweep(redis: ArqRedis, periodics: Sequence[Periodic] = ()) -> int:
    """One round. The number of doorbells that had to be rung again.

    Raises:
        RedisError, OSError: Redis is away; what the database alone is needed for is done.
    """
    async with db.transaction():
        if not await db.fetchval("SELECT pg_try_advisory_xact_lock($1)", ADVISORY_LOCK):
            return 0
        taken_back = await _take_back()
        await promise_due(periodics)
        due = await db.fetch(_DUE, list(QUEUES), GRACE_SECONDS, SWEEP_SECONDS)
    missing = await _without_bell(redis, [(row["queue"], row["delay"], row["id"]) for row in due])
    # The message of a worker that died stays behind its in-progress key, where ARQ passes it over: always ring anew.
    missing += [(queue, 0.0, job_id) for queue, job_id in taken_back]
    await _ring(redis, missing)
    return len(missing)


async def _take_back() -> list[tuple[str, UUID]]:
    """End leases that ran out; the jobs to ring for at once. The third time a job is kept aside."""
    again = []
    for row in await db.fetch(_TAKE_BACK):
        _expired.labels(row["queue"]).inc()
        log.warning("lease.expired", job_id=str(row["id"]), queue=row["queue"], state=row["state"])
        if row["state"] == "quarantined":
            _quarantined.labels(row["queue"]).inc()
        elif row["due"]:
            again.append((row["queue"], row["id"]))
    return again


async def _without_bell(redis: ArqRedis, due: list[tuple[str, float, UUID]]) -> list[tuple[str, float, UUID]]:
    """What goes beyond the doorbells that wait. One rings for one job, whichever it was rung for: only their number
    counts, of those that ring now for what is due now, of those that ring until the next sweep for what is due then."""
    if not due:
        return []
    queues = sorted({queue for queue, _, _ in due})
    now = int(time.time() * 1000)
    async with redis.pipeline(transaction=False) as pipe:
        for queue in queues:
            pipe.zcount(arq_queue(queue), "-inf", now)
            pipe.zcount(arq_queue(queue), f"({now}", now + int(SWEEP_SECONDS * 1000))
        answers = await pipe.execute()
    places = [(queue, later) for queue in queues for later in (False, True)]
    waiting = Counter(dict(zip(places, answers, strict=True)))
    missing = []
    for queue, delay, job_id in due:
        waiting[queue, delay > 0] -= 1
        if waiting[queue, delay > 0] < 0:
            missing.append((queue, delay, job_id))
    return missing


async def _ring(redis: ArqRedis, missing: list[tuple[str, float, UUID]]) -> None:
    groups: dict[tuple[str, float], list[UUID]] = defaultdict(list)
    for queue, delay, job_id in missing:
        groups[queue, delay].append(job_id)
    doorbell, ring = Doorbell(redis), f"s{time.time_ns() // 1_000_000}"
    for (queue, delay), job_ids in groups.items():
        _rerung.labels(queue).inc(len(job_ids))
        await doorbell.ring(queue, job_ids, ring=ring, delay=delay)


async def sweep_forever(redis: ArqRedis, periodics: Sequence[Periodic]) -> None:
    """Sweep until cancelled; an outage of either engine is waited out."""
    while True:
        try:
            await sweep(redis, periodics)
        except (RedisError, OSError) as error:
            log.warning("sweep.failed", error=f"{type(error).__name__}: {error}")
        except Exception:
            log.exception("sweep.failed")
        await asyncio.sleep(SWEEP_SECONDS)

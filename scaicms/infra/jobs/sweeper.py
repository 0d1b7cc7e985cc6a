"""The sweeper: finds due work that nobody is about to do and rings for it again.

Runs in every worker, every few seconds, one at a time. It is what makes the doorbell optional: a flushed Redis, a lost
message, a killed worker all end here. What only PostgreSQL is needed for (expired leases, periodic work) goes on while
Redis is away.

One at a time by a lease (`sweeper`, docs/adr/0037) and not by a lock: a worker whose link to PostgreSQL leads nowhere
would hold a lock until the server gives its session up, and all others would do nothing. Each step is a short
transaction that passes over rows which somebody has locked.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from prometheus_client import Counter as Metric

from scaicms.infra import db
from scaicms.infra.db.stale_sessions import end_stale_sessions
from scaicms.infra.jobs import expired_leases, presence
from scaicms.infra.jobs.claims import NO_SITE
from scaicms.infra.jobs.declare import QUEUES, Periodic
from scaicms.infra.jobs.doorbell import Doorbell, arq_queue
from scaicms.infra.jobs.expired_leases import Expired
from scaicms.infra.jobs.outages import LEDGER_ERRORS, OUTAGES
from scaicms.infra.jobs.periodic import promise_due
from scaicms.infra.redis_breaker import RedisAwayError
from scaicms.kit.clock import unix_now
from scaicms.kit.ids import new_id

SWEEP_SECONDS = 3.0
ANSWER_SECONDS = 5.0
LEASE_SECONDS = 15.0
"""How long one worker sweeps alone; when it vanishes meanwhile, the others wait that long."""
# Sweeps that are further apart say that the database was away, or that no worker was there.
GAP_SECONDS = 8.0
# Doorbells for the first of a queue's due jobs are enough: a worker that finds more goes on without them.
MAX_RINGS = 200
# A doorbell that was rung with the commit is given this long to arrive before its absence means anything.
GRACE_SECONDS = 1.0

_rerung = Metric("scaicms_sweeper_rings_total", "Due jobs whose doorbell was missing", ["queue"])
log = structlog.get_logger(__name__)

_BEGIN = """
UPDATE sweeper SET holder = $1, lease_until = clock_timestamp() + $2 * interval '1 second',
       steady_since = CASE WHEN swept_at > clock_timestamp() - $3 * interval '1 second'
                           THEN steady_since ELSE clock_timestamp() END
WHERE id = (SELECT id FROM sweeper WHERE lease_until IS NULL OR lease_until < clock_timestamp() OR holder = $1
            FOR UPDATE SKIP LOCKED)
RETURNING extract(epoch FROM clock_timestamp() - steady_since)::float8
"""
_END = "UPDATE sweeper SET lease_until = NULL, swept_at = clock_timestamp() WHERE holder = $1"

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


SetAside = Callable[[Expired], Awaitable[None]]
"""Sets aside a job whose worker died once too often, and lets whatever waits for it know."""


async def sweep(
    redis: ArqRedis,
    periodics: Sequence[Periodic] = (),
    *,
    worker: str | None = None,
    set_aside: SetAside = expired_leases.quarantine,
) -> int:
    """One round. The number of doorbells that had to be rung again.

    Raises:
        RedisError, OSError: Redis is away; what the database alone is needed for is done.
    """
    holder = worker or str(new_id())
    async with db.aside():
        steady = await db.within(ANSWER_SECONDS, db.fetchval(_BEGIN, holder, LEASE_SECONDS, GAP_SECONDS))
    if steady is None:
        return 0
    again, due = await db.within(LEASE_SECONDS, _look(redis, periodics, steady, set_aside))
    async with db.aside():
        await db.within(ANSWER_SECONDS, db.execute(_END, holder))
    missing = await _without_bell(redis, due)
    # The message of a worker that died stays behind its in-progress key, where ARQ passes it over: always ring anew.
    missing += [(queue, 0.0, job_id) for queue, job_id in again]
    await _ring(redis, missing)
    return len(missing)


async def _look(
    redis: ArqRedis, periodics: Sequence[Periodic], steady_seconds: float, set_aside: SetAside
) -> tuple[list[tuple[str, UUID]], list[tuple[str, float, UUID]]]:
    """What PostgreSQL alone is needed for: jobs to ring for at once, and due jobs with their delays."""
    async with db.aside():
        judged = await expired_leases.find(redis, steady_seconds=steady_seconds)
        again = await expired_leases.take_back(judged)
    for lease in judged.quarantined:
        try:
            await set_aside(lease)
        except Exception:  # one job that cannot be set aside keeps its lease; the others go on
            log.exception("sweep.not_set_aside", job_id=str(lease.id), job=lease.name)
    try:
        await db.within(ANSWER_SECONDS, _promise(periodics))
    except LEDGER_ERRORS as error:  # jobs may hold the whole pool; what is due is rung for all the same
        log.warning("sweep.periodic_failed", error=f"{type(error).__name__}: {error}")
    async with db.aside():
        await presence.forget_old()
        due = await db.fetch(_DUE, list(QUEUES), GRACE_SECONDS, SWEEP_SECONDS)
    return again, [(row["queue"], row["delay"], row["id"]) for row in due]


async def _promise(periodics: Sequence[Periodic]) -> None:
    async with db.transaction():
        await promise_due(periodics)


async def _without_bell(redis: ArqRedis, due: list[tuple[str, float, UUID]]) -> list[tuple[str, float, UUID]]:
    """What goes beyond the doorbells that wait. One rings for one job, whichever it was rung for: only their number
    counts, of those that ring now for what is due now, of those that ring until the next sweep for what is due then."""
    if not due:
        return []
    queues = sorted({queue for queue, _, _ in due})
    now = int(unix_now() * 1000)
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


async def sweep_forever(redis: ArqRedis, periodics: Sequence[Periodic], *, worker: str, set_aside: SetAside) -> None:
    """Sweep until cancelled; an outage of either engine is waited out."""
    while True:
        # Not under the lease of the sweep, which may be what a silent session keeps.
        await _logged(_end_stale_sessions())
        await _logged(sweep(redis, periodics, worker=worker, set_aside=set_aside))
        await asyncio.sleep(SWEEP_SECONDS)


async def _end_stale_sessions() -> int:
    async with db.aside():
        return await db.within(ANSWER_SECONDS, end_stale_sessions())


async def _logged(step: Awaitable[int]) -> None:
    try:
        await step
    except RedisAwayError:
        pass  # the breaker has logged it
    except OUTAGES as error:
        log.warning("sweep.failed", error=f"{type(error).__name__}: {error}")
    except Exception:
        log.exception("sweep.failed")

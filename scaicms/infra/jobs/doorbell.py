"""The doorbell: an ARQ message that says "there is work". Losing one loses nothing; the sweeper rings again.

A message is written as `ArqRedis.enqueue_job` writes it, but many to a round trip: its id is new each time, so there
is nothing to watch. ARQ's own workers can answer it. The channel wakes workers that sit idle.
"""

import asyncio
from collections import Counter as Counts
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from prometheus_client import Counter
from redis.exceptions import RedisError

from scaicms.infra.redis_breaker import RedisAwayError
from scaicms.kit import json
from scaicms.kit.clock import unix_now

RUN_FUNCTION = "run"
RING_SECONDS = 1.0
"""The longest time for all doorbells of one transaction. The breaker makes it far less where Redis gives no answer."""
WAKE_CHANNEL = "scaicms:wake"
POLL_SECONDS = 1.0
"""How often an idle worker looks for doorbells. Those that ring later than that need not wake it."""
MESSAGE_SECONDS = 24 * 3600
BATCH = 500

_rung = Counter("scaicms_doorbells_total", "Doorbells rung after a commit or by the sweeper", ["queue", "outcome"])
log = structlog.get_logger(__name__)


def arq_queue(queue: str) -> str:
    """ARQ's name (a Redis sorted set) of one of our queues."""
    return f"scaicms:queue:{queue}"


def message_id(job_id: UUID, ring: int | str) -> str:
    """ARQ refuses a message id that it has seen; the ring makes each try new."""
    return f"{job_id}:{ring}"


class Bell(NamedTuple):
    """One doorbell, to ring `delay` seconds from now."""

    queue: str
    job_id: UUID
    delay: float = 0.0


class Doorbell:
    """Rings through one Redis connection pool."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def ring(self, queue: str, job_ids: Sequence[UUID], *, ring: int | str = 0, delay: float = 0) -> bool:
        """Ring for each job of one queue; the answer is that of `ring_bells`."""
        return await self.ring_bells([Bell(queue, job_id, delay) for job_id in job_ids], ring=ring)

    async def ring_bells(self, bells: Sequence[Bell], *, ring: int | str = 0) -> bool:
        """Ring all of them, of whichever queues, in one round trip for each `BATCH`. False, and a count in the
        metrics, when Redis did not answer in time."""
        rung = Counts(bell.queue for bell in bells)
        outcome = "rung"
        try:
            async with asyncio.timeout(RING_SECONDS):
                for start in range(0, len(bells), BATCH):
                    await self._send(bells[start : start + BATCH], ring)
        except (RedisError, OSError, TimeoutError) as error:
            outcome = "failed"
            if not isinstance(error, RedisAwayError):  # the breaker has logged it
                log.warning("doorbell.failed", queues=sorted(rung), jobs=len(bells), error=type(error).__name__)
        for queue, number in rung.items():
            _rung.labels(queue, outcome).inc(number)
        return outcome == "rung"

    async def _send(self, bells: Sequence[Bell], ring: int | str) -> None:
        now = int(unix_now() * 1000)
        async with self._redis.pipeline(transaction=False) as pipe:
            for queue, job_id, delay in bells:
                message = message_id(job_id, ring)
                data = serialize_job(RUN_FUNCTION, (str(job_id),), {}, None, now, serializer=json.dumps)
                pipe.set(job_key_prefix + message, data, ex=MESSAGE_SECONDS + int(delay))
                pipe.zadd(arq_queue(queue), {message: now + int(delay * 1000)})
            for queue in dict.fromkeys(bell.queue for bell in bells if bell.delay < POLL_SECONDS):
                pipe.publish(WAKE_CHANNEL, queue)
            await pipe.execute()


_doorbell: Doorbell | None = None


def install(doorbell: Doorbell | None) -> None:
    """Set the doorbell of this process; None for a process that only writes rows (the sweeper will ring)."""
    global _doorbell  # noqa: PLW0603 - one a process, set at start-up as the database is
    _doorbell = doorbell


async def ring_again(queue: str, job_id: UUID, *, ring: int, delay: float = 0) -> None:
    """Ring for a job that goes back to the queue."""
    if _doorbell is not None:
        await _doorbell.ring(queue, [job_id], ring=ring, delay=delay)


async def ring_all(due: Mapping[str, Sequence[UUID]], *, ring: int | str = 0) -> None:
    """Ring for jobs that have just been committed."""
    await ring_bells([Bell(queue, job_id) for queue, job_ids in due.items() for job_id in job_ids], ring=ring)


async def ring_bells(bells: Sequence[Bell], *, ring: int | str) -> None:
    """Ring these, each at its time."""
    if _doorbell is not None:
        await _doorbell.ring_bells(bells, ring=ring)

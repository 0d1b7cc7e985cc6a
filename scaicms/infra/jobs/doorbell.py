"""The doorbell: an ARQ message that says "there is work". Losing one loses nothing; the sweeper rings again.

A message is written as `ArqRedis.enqueue_job` writes it, but many to a round trip: its id is new each time, so there
is nothing to watch. ARQ's own workers can answer it. The channel wakes workers that sit idle.
"""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from prometheus_client import Counter
from redis.exceptions import RedisError

from scaicms.kit import json

RUN_FUNCTION = "run"
RING_SECONDS = 2.0
WAKE_CHANNEL = "scaicms:wake"
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


class Doorbell:
    """Rings through one Redis connection pool."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def ring(self, queue: str, job_ids: Sequence[UUID], *, ring: int | str = 0, delay: float = 0) -> bool:
        """Ring for each job, `delay` seconds from now. False, and a count in the metrics, when Redis did not
        answer within 2 s."""
        try:
            async with asyncio.timeout(RING_SECONDS):
                for start in range(0, len(job_ids), BATCH):
                    await self._send(queue, job_ids[start : start + BATCH], ring, delay)
        except (RedisError, OSError, TimeoutError) as error:
            _rung.labels(queue, "failed").inc(len(job_ids))
            log.warning("doorbell.failed", queue=queue, jobs=len(job_ids), error=type(error).__name__)
            return False
        _rung.labels(queue, "rung").inc(len(job_ids))
        return True

    async def _send(self, queue: str, job_ids: Sequence[UUID], ring: int | str, delay: float) -> None:
        now = timestamp_ms()
        score = now + int(delay * 1000)
        async with self._redis.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                message = message_id(job_id, ring)
                data = serialize_job(RUN_FUNCTION, (str(job_id),), {}, None, now, serializer=json.dumps)
                pipe.set(job_key_prefix + message, data, ex=MESSAGE_SECONDS + int(delay))
                pipe.zadd(arq_queue(queue), {message: score})
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
    if _doorbell is None:
        return
    for queue, job_ids in due.items():
        await _doorbell.ring(queue, job_ids, ring=ring)

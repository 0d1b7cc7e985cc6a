"""The doorbell: an ARQ message that says "job X may be due". Losing one loses nothing; the sweeper rings again."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from prometheus_client import Counter
from redis.exceptions import RedisError

RUN_FUNCTION = "run"
RING_SECONDS = 2.0

_rung = Counter("scaicms_doorbells_total", "Doorbells rung after a commit or by the sweeper", ["queue", "outcome"])
log = structlog.get_logger(__name__)


def arq_queue(queue: str) -> str:
    """ARQ's name (a Redis sorted set) of one of our queues."""
    return f"scaicms:queue:{queue}"


def message_id(job_id: UUID, ring: int) -> str:
    """ARQ refuses a message id that it has seen; the ring makes each try new."""
    return f"{job_id}:{ring}"


class Doorbell:
    """Rings through one Redis connection pool."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def ring(self, queue: str, job_ids: Sequence[UUID], *, ring: int = 0, delay: float = 0) -> bool:
        """Ring for each job, `delay` seconds from now. False, and a count in the metrics, when Redis did not
        answer within 2 s."""
        try:
            async with asyncio.timeout(RING_SECONDS):
                for job_id in job_ids:
                    await self._redis.enqueue_job(
                        RUN_FUNCTION,
                        str(job_id),
                        _queue_name=arq_queue(queue),
                        _job_id=message_id(job_id, ring),
                        _defer_by=delay or None,
                    )
        except (RedisError, OSError, TimeoutError) as error:
            _rung.labels(queue, "failed").inc(len(job_ids))
            log.warning("doorbell.failed", queue=queue, jobs=len(job_ids), error=type(error).__name__)
            return False
        _rung.labels(queue, "rung").inc(len(job_ids))
        return True


_doorbell: Doorbell | None = None


def install(doorbell: Doorbell | None) -> None:
    """Set the doorbell of this process; None for a process that only writes rows (the sweeper will ring)."""
    global _doorbell  # noqa: PLW0603 - one a process, set at start-up as the database is
    _doorbell = doorbell


async def ring_again(queue: str, job_id: UUID, *, ring: int, delay: float = 0) -> None:
    """Ring for a job that goes back to the queue."""
    if _doorbell is not None:
        await _doorbell.ring(queue, [job_id], ring=ring, delay=delay)


async def ring_all(due: Mapping[str, Sequence[UUID]]) -> None:
    """Ring for jobs that have just been committed."""
    if _doorbell is None:
        return
    for queue, job_ids in due.items():
        await _doorbell.ring(queue, job_ids)

"""Jobs, rows and workers for the tests of the ledger."""

import asyncio
import contextlib
from uuid import UUID

from scaicms.infra import db
from scaicms.infra.jobs import Job, JobPayload, enqueue
from scaicms.infra.jobs.declare import Task
from scaicms.infra.jobs.doorbell import arq_queue
from scaicms.infra.jobs.runner import Runner
from scaicms.infra.jobs.worker import LedgerWorker, listen


class Payload(JobPayload):
    number: int = 0


JOB = Job("tests.job", "media", Payload, max_attempts=2)
LOOSE = Job("tests.loose", "media", Payload, atomic=False)


def runner_of(services, handler, job=JOB):
    return Runner([Task(job, handler)], services, "tester")


async def add(job=JOB, **given) -> UUID:
    async with db.transaction():
        return await enqueue(job.request(Payload(), site_id=None, **given))


async def row(job_id):
    return await db.fetchrow("SELECT * FROM jobs WHERE id = $1", job_id)


async def age(job_id, seconds=60):
    """Let the lease have run out and the job be due for a while."""
    await db.execute(
        """UPDATE jobs SET run_at = now() - $2 * interval '1 second',
           lease_until = lease_until - $2 * interval '1 second' WHERE id = $1""",
        job_id,
        seconds,
    )


async def bells(redis, queue="media"):
    return {message.decode().partition(":")[0] for message in await redis.zrange(arq_queue(queue), 0, -1)}


async def nothing(payload, job):
    """A handler that is done at once."""


def worker_of(services, handler, job=JOB, *, redis=None, concurrency=5):
    redis = redis or services.resources.redis
    return LedgerWorker("media", runner_of(services, handler, job), redis, concurrency=concurrency, drain_seconds=1)


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - a row has no event to wait for
            await asyncio.sleep(0.02)


async def is_(job_id, state):
    return (await row(job_id))["state"] == state


@contextlib.asynccontextmanager
async def working(worker, redis=None):
    """The worker at work, woken by the channel."""
    tasks = [asyncio.create_task(worker.async_run())]
    if redis is not None:
        tasks.append(asyncio.create_task(listen(redis, {"media": worker})))
    try:
        yield worker
    finally:
        worker.stop_taking()
        await asyncio.wait(tasks[:1], timeout=5)
        left = [*tasks, *worker.tasks.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

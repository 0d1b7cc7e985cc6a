"""ARQ workers over the ledger: one `WorkerSettings` a queue, one process for as many queues as wanted."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.exceptions import RedisError

from scaicms.infra.jobs.declare import QUEUES
from scaicms.infra.jobs.doorbell import RUN_FUNCTION, arq_queue
from scaicms.infra.jobs.heartbeat import beat_forever
from scaicms.infra.jobs.runner import OUTAGES, Runner
from scaicms.infra.jobs.sweeper import sweep_forever
from scaicms.kit import json

POLL_SECONDS = 0.1
OUTAGE_POLL_SECONDS = 0.5
RUNNER = "runner"

log = structlog.get_logger(__name__)


async def answer(ctx: dict[Any, Any], job_id: str) -> None:
    """The one ARQ function: a doorbell rang for this job."""
    await ctx[RUNNER].run(UUID(job_id))


def arq_options(queue: str, *, concurrency: int, drain_seconds: int) -> dict[str, Any]:
    """How ARQ runs one queue. Retries, results and time-outs are the ledger's, so ARQ's are off or longer."""
    return {
        "functions": [func(answer, name=RUN_FUNCTION, max_tries=1, keep_result=0)],
        "queue_name": arq_queue(queue),
        "max_jobs": concurrency,
        "queue_read_limit": concurrency * 5,
        "job_timeout": QUEUES[queue].timeout + 10,
        "max_tries": 1,
        "retry_jobs": False,
        "keep_result": 0,
        "poll_delay": POLL_SECONDS,
        "job_completion_wait": drain_seconds,
        "health_check_interval": 30,
        "job_serializer": json.dumps,
        "job_deserializer": json.loads,
        "log_results": False,
    }


class LedgerWorker(Worker):
    """ARQ's worker, made to outlive Redis: while it is away, due jobs are claimed from PostgreSQL directly."""

    def __init__(self, queue: str, runner: Runner, redis: ArqRedis, *, concurrency: int, drain_seconds: int) -> None:
        options = arq_options(queue, concurrency=concurrency, drain_seconds=drain_seconds)
        super().__init__(redis_pool=redis, handle_signals=False, ctx={RUNNER: runner}, **options)
        self._queue = queue
        self._runner = runner
        self._redis_away = False

    async def _poll_iteration(self) -> None:
        try:
            await super()._poll_iteration()
        except (RedisError, OSError) as error:
            if not self._redis_away:
                log.warning("worker.redis_away", queue=self._queue, error=type(error).__name__)
            self._redis_away = True
            # ARQ leaves its slot count wrong when Redis fails between acquiring and starting.
            self._reset_slots()
            await self._work_without_redis()
        else:
            if self._redis_away:
                log.info("worker.redis_back", queue=self._queue)
            self._redis_away = False

    def _reset_slots(self) -> None:
        self.tasks = {key: task for key, task in self.tasks.items() if not task.done()}
        self.job_counter = len(self.tasks)
        self.sem = asyncio.BoundedSemaphore(self.max_jobs + 1)
        for _ in self.tasks:
            self.sem._value -= 1

    async def _work_without_redis(self) -> None:
        if not self.allow_pick_jobs:
            return
        free = self.max_jobs - len(self._runner.running)
        done = 0
        if free > 0:
            with contextlib.suppress(*OUTAGES):
                done = await self._runner.run_due(self._queue, free)
        if not done:
            await asyncio.sleep(OUTAGE_POLL_SECONDS)


@contextlib.asynccontextmanager
async def background(runner: Runner, redis: ArqRedis, queues: Sequence[str]) -> AsyncIterator[None]:
    """What every worker process does beside its jobs: sweep and say that it lives."""
    tasks = [
        asyncio.create_task(sweep_forever(redis), name="sweeper"),
        asyncio.create_task(beat_forever(redis, runner, list(queues)), name="heartbeat"),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def run_workers(
    queues: Sequence[str], runner: Runner, redis: ArqRedis, *, concurrency: int, drain_seconds: int
) -> None:
    """Serve `queues` until SIGTERM or SIGINT, then drain: begun jobs get `drain_seconds`, the rest is released."""
    workers = [
        LedgerWorker(queue, runner, redis, concurrency=concurrency, drain_seconds=drain_seconds) for queue in queues
    ]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with background(runner, redis, queues):
        mains = [asyncio.create_task(worker.async_run(), name=f"queue:{worker.queue_name}") for worker in workers]
        stopped = asyncio.create_task(stop.wait())
        log.info("worker.ready", queues=list(queues), worker=runner.worker, concurrency=concurrency)
        try:
            await asyncio.wait([stopped, *mains], return_when=asyncio.FIRST_COMPLETED)
            await _drain(workers, runner, drain_seconds)
        finally:
            for task in (stopped, *mains):
                task.cancel()
            outcomes = await asyncio.gather(*mains, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def _drain(workers: Sequence[LedgerWorker], runner: Runner, drain_seconds: int) -> None:
    for worker in workers:
        worker.allow_pick_jobs = False
    log.info("worker.draining", running=len(runner.running), seconds=drain_seconds)
    tasks = [task for worker in workers for task in worker.tasks.values() if not task.done()]
    if tasks:
        _, unfinished = await asyncio.wait(tasks, timeout=drain_seconds)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    log.info("worker.stopped")

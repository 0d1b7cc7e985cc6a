"""ARQ workers over the ledger: one `WorkerSettings` a queue, one process for as many queues as wanted."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.worker import Worker, func
from redis.exceptions import RedisError

from scaicms.infra import db
from scaicms.infra.jobs import presence
from scaicms.infra.jobs.claims import NO_SITE, Claim
from scaicms.infra.jobs.declare import QUEUES, Periodic
from scaicms.infra.jobs.doorbell import POLL_SECONDS, RUN_FUNCTION, WAKE_CHANNEL, arq_queue
from scaicms.infra.jobs.heartbeat import beat_forever
from scaicms.infra.jobs.outages import LEDGER_ERRORS, OUTAGES
from scaicms.infra.jobs.periodic import declare
from scaicms.infra.jobs.runner import Runner
from scaicms.infra.jobs.sweeper import sweep_forever
from scaicms.infra.redis_breaker import RedisAwayError
from scaicms.kit import json
from scaicms.kit.clock import unix_now

# An idle worker is woken through the channel; the poll is for what the channel lost and for deferred doorbells.
IDLE_POLL_SECONDS = POLL_SECONDS
ARQ_POLL_SECONDS = 0.1
OUTAGE_POLL_SECONDS = 0.5
# A claim takes a millisecond or two; one that takes this long asks a connection that is gone.
CLAIM_SECONDS = 5.0
WRITABLE_KEY = "scaicms:writable"
WRITABLE_SECONDS = 60
SURPLUS = 500
# For jobs that are cancelled to clean up after themselves; some wait for threads and never end.
CANCEL_SECONDS = 3.0
LEDGER_CONNECTIONS = 3
# In a backlog a claim for five slots costs what a claim for one costs: a moment's patience saves most of them.
GATHER_SECONDS = 0.004
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
        "poll_delay": ARQ_POLL_SECONDS,
        "job_completion_wait": drain_seconds,
        "health_check_interval": 30,
        "job_serializer": json.dumps,
        "job_deserializer": json.loads,
        "log_results": False,
    }


class LedgerWorker(Worker):
    """ARQ's worker whose jobs come from the ledger: a doorbell stands for one due job, whichever is next.

    So priorities and turns between sites hold, and messages of jobs that are stuck hold nobody up. A worker whose
    last claim filled all its slots claims again without a doorbell, as it does while Redis is away.
    """

    def __init__(self, queue: str, runner: Runner, redis: ArqRedis, *, concurrency: int, drain_seconds: int) -> None:
        options = arq_options(queue, concurrency=concurrency, drain_seconds=drain_seconds)
        super().__init__(redis_pool=redis, handle_signals=False, ctx={RUNNER: runner}, **options)
        self.wake = asyncio.Event()
        self._queue = queue
        self.runner = runner
        self._sites: Counter[UUID] = Counter()
        # What was promised before this worker began has nobody to ring for it: look once.
        self._more = True
        self._surplus = False
        self._has_logged_outage = False
        self._rest_seconds = IDLE_POLL_SECONDS
        runner.slots.watch(queue, self.wake.set)

    @property
    def _busy(self) -> int:
        """Slots in use: running jobs but for those that wait for an answer from outside."""
        return len(self.tasks) - self.runner.slots.outside(self._queue)

    async def main(self) -> None:
        """Go on until `stop_taking()`. (ARQ's own loop begins with a question to Redis, which may be away.)"""
        while self.allow_pick_jobs:
            await self._poll_iteration()

    def stop_taking(self) -> None:
        """Begin no further job."""
        self.allow_pick_jobs = False
        self.wake.set()

    async def _poll_iteration(self) -> None:
        self.wake.clear()
        self._rest_seconds = IDLE_POLL_SECONDS
        await self._take_work()
        with contextlib.suppress(RedisError, OSError):
            await self.record_health()
        if self._more and self._busy < self.max_jobs:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._rest_seconds):
                await self.wake.wait()

    async def _take_work(self) -> None:
        if self._more:
            await self._gather_slots()
        free = self.max_jobs - self._busy
        if free <= 0:
            await self._use_spare_slot()
            return
        unasked = self._more
        asked = free if unasked else min(free, await self._bells(SURPLUS if self._surplus else free))
        if asked == 0:
            self._surplus = False
            return
        claims = await self._claim(asked)
        self._more = claims is None or len(claims) == free
        # Doorbells without jobs are taken away in bulk; an empty queue says nothing about them.
        self._surplus = claims == [] and not unasked

    async def _gather_slots(self) -> None:
        """Wait until half of the slots are free, or for a moment after the first of them is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHER_SECONDS):
                while self.max_jobs // 2 < self._busy < self.max_jobs:
                    self.wake.clear()
                    await self.wake.wait()

    async def _use_spare_slot(self) -> None:
        """When all slots are one site's, one more is open to the others: they wait for no slow job of it."""
        full = [site for site, number in self._sites.items() if number >= self.max_jobs]
        if full and self._busy == self.max_jobs:
            await self._claim(1, without=full)

    async def _claim(self, limit: int, *, without: Sequence[UUID] = ()) -> list[Claim] | None:
        """Start up to `limit` jobs; None while the database is away."""
        try:
            claims = await db.within(CLAIM_SECONDS, self.runner.claim_due(self._queue, limit, without=without))
        except LEDGER_ERRORS as error:
            log.warning("worker.database_away", queue=self._queue, error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(OUTAGE_POLL_SECONDS)
            return None
        for claim in claims:
            task = self.loop.create_task(self.runner.run_claimed(claim), name=f"job {claim.name} {claim.id}")
            self.tasks[f"{claim.id}:{claim.fence}"] = task
            self._sites[claim.site_id or NO_SITE] += 1
            task.add_done_callback(partial(self._ended, claim))
        return claims

    def _ended(self, claim: Claim, task: asyncio.Task[None]) -> None:
        del self.tasks[f"{claim.id}:{claim.fence}"]
        self._sites[claim.site_id or NO_SITE] -= 1
        if not self._sites[claim.site_id or NO_SITE]:
            del self._sites[claim.site_id or NO_SITE]
        self.jobs_complete += 1
        if not task.cancelled() and task.exception() is not None:
            log.error("worker.job_crashed", job_id=str(claim.id), exc_info=task.exception())
        self.wake.set()

    async def _bells(self, limit: int) -> int:
        """Take up to `limit` doorbells that are due; as many as were asked for while Redis is away."""
        try:
            taken = await self._take_bells(limit)
        except (RedisError, OSError) as error:
            if not (self._has_logged_outage or isinstance(error, RedisAwayError)):  # which the breaker has logged
                log.warning("worker.redis_away", queue=self._queue, error=type(error).__name__)
                self._has_logged_outage = True
            self._rest_seconds = OUTAGE_POLL_SECONDS
            return limit
        if self._has_logged_outage:
            log.info("worker.redis_back", queue=self._queue)
        self._has_logged_outage = False
        return taken

    async def _take_bells(self, limit: int) -> int:
        while due := await self._due_bells(limit):
            async with self.pool.pipeline(transaction=False) as pipe:
                pipe.zrem(self.queue_name, *due)
                pipe.unlink(*(job_key_prefix.encode() + message for message in due))
                removed, _ = await pipe.execute()
            if removed:
                return int(removed)
            # Another worker was faster with all of these; there may be more behind them.
        return 0

    async def _due_bells(self, limit: int) -> list[bytes]:
        async with self.pool.pipeline(transaction=False) as pipe:
            # A Redis that is full answers questions, but takes no doorbells: then it is as good as away.
            pipe.set(WRITABLE_KEY, 1, ex=WRITABLE_SECONDS)
            pipe.zrange(self.queue_name, 0, limit - 1, withscores=True)
            answers = await pipe.execute()
        found: list[tuple[bytes, float]] = answers[1]
        now = unix_now() * 1000
        due = [message for message, score in found if score <= now]
        if len(due) < len(found):
            self._rest_seconds = min(IDLE_POLL_SECONDS, (found[len(due)][1] - now) / 1000 + 0.005)
        return due


async def listen(redis: ArqRedis, workers: Mapping[str, LedgerWorker]) -> None:
    """Wake the workers whose doorbell rings, until cancelled; an outage of Redis is waited out."""
    while True:
        with contextlib.suppress(*OUTAGES):
            async with redis.pubsub() as channel:
                await channel.subscribe(WAKE_CHANNEL)
                while True:
                    message = await channel.get_message(ignore_subscribe_messages=True, timeout=10)
                    queue = message["data"].decode() if message is not None else ""
                    if queue in workers:
                        workers[queue].wake.set()
        await asyncio.sleep(OUTAGE_POLL_SECONDS)


@contextlib.asynccontextmanager
async def background(
    runner: Runner, redis: ArqRedis, queues: Sequence[str], periodics: Sequence[Periodic]
) -> AsyncIterator[None]:
    """What every worker process has beside its jobs: connections for the ledger, the sweeper, the sign of life."""
    settings = runner.settings
    await declare(periodics)
    async with db.open_aside(
        settings.database_url, size=LEDGER_CONNECTIONS, statement_timeout=settings.web_statement_timeout
    ):
        await presence.begin(runner.worker)
        sweeping = sweep_forever(redis, periodics, worker=runner.worker, set_aside=runner.set_aside)
        tasks = [
            asyncio.create_task(sweeping, name="sweeper"),
            asyncio.create_task(beat_forever(redis, runner, list(queues)), name="heartbeat"),
            asyncio.create_task(presence.beat_forever(runner.worker), name="presence"),
            asyncio.create_task(runner.write_outcomes_forever(), name="outcomes"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
            await runner.write_outcomes()
            await presence.end(runner.worker)


async def run_workers(
    workers: Mapping[str, LedgerWorker], redis: ArqRedis, stop: asyncio.Event, *, drain_seconds: int
) -> None:
    """Serve queues until `stop`, then drain: begun jobs get `drain_seconds`, the rest is handed back uncharged."""
    mains = [asyncio.create_task(worker.async_run(), name=f"queue:{queue}") for queue, worker in workers.items()]
    listening, stopped = asyncio.create_task(listen(redis, workers)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([stopped, *mains], return_when=asyncio.FIRST_COMPLETED)
        for worker in workers.values():
            worker.stop_taking()
        # A claim that is under way is waited for, so that its jobs are drained too.
        await asyncio.wait(mains, timeout=CLAIM_SECONDS)
        await _drain([task for worker in workers.values() for task in worker.tasks.values()], drain_seconds)
        for runner in {worker.runner for worker in workers.values()}:
            await runner.hand_back()
    finally:
        for task in (listening, stopped, *mains):
            task.cancel()
        outcomes = await asyncio.gather(listening, stopped, *mains, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def _drain(tasks: Sequence[asyncio.Task[Any]], seconds: int) -> None:
    log.info("worker.draining", running=len(tasks), seconds=seconds)
    if tasks:
        _, unfinished = await asyncio.wait(tasks, timeout=seconds)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished, timeout=CANCEL_SECONDS)
    log.info("worker.stopped", running=sum(not task.done() for task in tasks))

"""Doing one job: keep the lease, run the handler, finish in the transaction of its effect."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter, Histogram
from pydantic import ValidationError
from redis.exceptions import RedisError
from tortoise.exceptions import OperationalError

from scaicms.infra import db
from scaicms.infra.jobs import claims, ledger
from scaicms.infra.jobs.claims import LEASE_SECONDS, NO_SITE, Claim
from scaicms.infra.jobs.control import CANCELLING
from scaicms.infra.jobs.declare import Task
from scaicms.infra.jobs.errors import (
    JobCancelledError,
    JobYieldError,
    PermanentJobError,
    StaleLeaseError,
    TransientJobError,
)
from scaicms.infra.jobs.running import RunningJob
from scaicms.infra.services import Services
from scaicms.kit.errors import AppError, UnavailableError

OUTAGES = (*db.OUTAGES, RedisError)
# Whatever keeps the ledger from being written: the lease then runs out, and somebody else does the job.
LEDGER_ERRORS = (*OUTAGES, asyncpg.PostgresError, OperationalError)

_jobs = Counter("scaicms_jobs_total", "Attempts at jobs by outcome", ["queue", "name", "outcome"])
_seconds = Histogram("scaicms_job_seconds", "Duration of attempts", ["queue", "name"])
_wait = Histogram("scaicms_job_wait_seconds", "From when a job was due to its start", ["queue"])
log = structlog.get_logger(__name__)


def is_permanent(error: Exception) -> bool:
    """Whether no further try can help: the payload or the state of the data forbids it."""
    if isinstance(error, PermanentJobError | ValidationError):
        return True
    return isinstance(error, AppError) and not isinstance(error, UnavailableError) and error.status < 500


class Runner:
    """Runs the jobs of one process under one worker name."""

    def __init__(self, tasks: Sequence[Task], services: Services, worker: str) -> None:
        self._tasks: Mapping[str, Task] = {task.job.name: task for task in tasks}
        self._services = services
        self._turns: dict[str, UUID] = {}
        self.worker = worker
        self.settings = services.resources.settings
        # An atomic job holds a connection from beginning to end. Those beyond the pool wait here, under their lease,
        # and not in the middle of the time that they have.
        self._connections = asyncio.Semaphore(self.settings.db_pool_size)
        # By id and fence: a job may come back to the process in which an attempt without a lease still goes on.
        self.running: dict[tuple[UUID, int], RunningJob] = {}
        # What a newer web enqueued stays pending for a newer worker.
        self.known: Mapping[str, int] = {task.job.name: task.job.version for task in tasks}
        services.resources.notices.subscribe(CANCELLING, self._cancel)

    async def run(self, job_id: UUID) -> bool:
        """Answer a doorbell. False when the job is not ours to run now (done, leased, deferred, unknown)."""
        async with db.aside():
            claim = await claims.claim(job_id, worker=self.worker, known=self.known)
        if claim is None:
            return False
        await self.run_claimed(claim)
        return True

    async def claim_due(self, queue: str, limit: int, *, without: Sequence[UUID] = ()) -> list[Claim]:
        """Take due jobs, going on with the site whose turn it is."""
        async with db.aside():
            taken = await claims.claim_due(
                queue,
                worker=self.worker,
                known=self.known,
                limit=limit,
                after=self._turns.get(queue, NO_SITE),
                without=without,
            )
        if taken:
            self._turns[queue] = taken[-1].site_id or NO_SITE
        return taken

    async def run_due(self, queue: str, limit: int) -> int:
        """Claim and run due jobs; how many there were."""
        taken = await self.claim_due(queue, limit)
        await asyncio.gather(*(self.run_claimed(claim) for claim in taken))
        return len(taken)

    async def run_claimed(self, claim: Claim) -> None:
        """Run a job whose lease we hold; whatever happens is written to the ledger, never raised."""
        running = self.running[claim.id, claim.fence] = RunningJob(claim, self._services)
        job_log = log.bind(job_id=str(claim.id), job=claim.name, attempt=claim.attempts + 1)
        _wait.labels(claim.queue).observe(claim.waited)
        try:
            with _seconds.labels(claim.queue, claim.name).time():
                outcome = await self._attempt(claim, running, job_log)
        except asyncio.CancelledError:
            # Told to stop (SIGTERM after the drain): hand the job back, charge nothing.
            with contextlib.suppress(*LEDGER_ERRORS):
                async with db.aside():
                    await asyncio.shield(ledger.release(claim))
            raise
        finally:
            del self.running[claim.id, claim.fence]
        _jobs.labels(claim.queue, claim.name, outcome).inc()

    async def _attempt(self, claim: Claim, running: RunningJob, job_log: structlog.stdlib.BoundLogger) -> str:
        try:
            return await self._classified(claim, running, job_log)
        except LEDGER_ERRORS as outage:
            job_log.warning("job.outcome_not_stored", error=f"{type(outage).__name__}: {outage}")
            return "lease_lost"

    async def _classified(self, claim: Claim, running: RunningJob, job_log: structlog.stdlib.BoundLogger) -> str:
        try:
            await self._handle(claim, running)
        except Exception as error:  # noqa: BLE001 - the boundary: every failure of a handler is classified and stored
            async with db.aside():
                return await self._store(claim, error, job_log)
        return "done"

    @staticmethod
    async def _store(claim: Claim, error: Exception, job_log: structlog.stdlib.BoundLogger) -> str:
        """Write down why a job has not been done; the outcome."""
        if isinstance(error, StaleLeaseError):
            job_log.warning("job.lease_lost")
            return "lease_lost"
        if isinstance(error, JobYieldError):
            await ledger.release(claim, after=error.after)
            return "yielded"
        if isinstance(error, JobCancelledError):
            await ledger.mark_cancelled(claim)
            return "cancelled"
        permanent = is_permanent(error)
        retry_after = error.retry_after if isinstance(error, TransientJobError) else None
        described = f"{type(error).__name__}: {error}"
        expected = isinstance(error, (AppError, TransientJobError, PermanentJobError, OperationalError, *OUTAGES))
        job_log.warning("job.failed", error=described[:500], permanent=permanent, exc_info=not expected)
        return await ledger.fail(claim, described, permanent=permanent, retry_after=retry_after)

    async def _handle(self, claim: Claim, running: RunningJob) -> None:
        task = self._tasks[claim.name]
        if running.cancel_requested:
            raise JobCancelledError
        payload = task.job.read(claim.payload, claim.version)
        keeper = asyncio.create_task(self._keep_lease(claim, running), name=f"lease:{claim.id}")
        try:
            if task.job.atomic:
                time = asyncio.timeout(task.job.seconds)
                async with self._connections, time, _interruptible(running), db.transaction():
                    await task.handler(payload, running)
                    await self._finish(claim, running)
            else:
                async with asyncio.timeout(task.job.seconds):
                    await task.handler(payload, running)
                    await self._finish(claim, running)
        except TimeoutError as error:
            raise TransientJobError(f"took longer than {task.job.seconds:g} s") from error
        finally:
            keeper.cancel()

    @staticmethod
    async def _finish(claim: Claim, running: RunningJob) -> None:
        if not await ledger.finish(claim.id, claim.fence, running.result):
            raise StaleLeaseError

    async def _keep_lease(self, claim: Claim, running: RunningJob) -> None:
        """Renew every third of the lease. A lost lease needs no action here: the fence refuses the finish."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with contextlib.suppress(*LEDGER_ERRORS):
                async with asyncio.timeout(LEASE_SECONDS / 3), db.aside():
                    cancel = await ledger.renew(claim.id, claim.fence)
                if cancel is None:
                    return
                if cancel:
                    running.cancel()

    def _cancel(self, subject: str | None) -> None:
        """Somebody asked for the end of a job. (None: notices were lost; the next renewal of the lease tells.)"""
        for (job_id, _), running in list(self.running.items()):
            if str(job_id) == subject:
                running.cancel()


@contextlib.asynccontextmanager
async def _interruptible(running: RunningJob) -> AsyncIterator[None]:
    """Turn the interruption of this task that `running.cancel()` makes into `JobCancelledError`."""
    task = asyncio.current_task()
    running.interruptible(task)
    try:
        yield
    except asyncio.CancelledError:
        if running.cancel_requested and task is not None and task.uncancel() == 0:
            raise JobCancelledError from None
        raise
    finally:
        running.interruptible(None)

"""Doing one job: claim, keep the lease, run the handler, finish in the transaction of its effect."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter, Histogram
from pydantic import ValidationError
from redis.exceptions import RedisError
from tortoise.exceptions import DBConnectionError, OperationalError

from scaicms.infra import db
from scaicms.infra.jobs import ledger
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

OUTAGES = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, RedisError, DBConnectionError)

_jobs = Counter("scaicms_jobs_total", "Attempts at jobs by outcome", ["queue", "name", "outcome"])
_seconds = Histogram("scaicms_job_seconds", "Duration of attempts", ["queue", "name"])
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
        self.worker = worker
        self.running: set[UUID] = set()

    @property
    def names(self) -> list[str]:
        """Jobs this process knows; what a newer web enqueued stays pending for a newer worker."""
        return list(self._tasks)

    async def run(self, job_id: UUID) -> bool:
        """Answer a doorbell. False when the job is not ours to run now (done, leased, deferred, unknown)."""
        claim = await ledger.claim(job_id, worker=self.worker, names=self.names)
        if claim is None:
            return False
        await self.run_claimed(claim)
        return True

    async def run_due(self, queue: str, limit: int) -> int:
        """Claim and run due jobs straight from the ledger; how many there were."""
        claims = await ledger.claim_due(queue, worker=self.worker, names=self.names, limit=limit)
        await asyncio.gather(*(self.run_claimed(claim) for claim in claims))
        return len(claims)

    async def run_claimed(self, claim: ledger.Claim) -> None:
        """Run a job whose lease we hold; whatever happens is written to the ledger, never raised."""
        self.running.add(claim.id)
        job_log = log.bind(job_id=str(claim.id), job=claim.name, attempt=claim.attempts + 1)
        try:
            with _seconds.labels(claim.queue, claim.name).time():
                outcome = await self._attempt(claim, job_log)
        except asyncio.CancelledError:
            # Told to stop (SIGTERM after the drain): hand the job back, charge nothing.
            with contextlib.suppress(*OUTAGES):
                await asyncio.shield(ledger.release(claim))
            raise
        finally:
            self.running.discard(claim.id)
        _jobs.labels(claim.queue, claim.name, outcome).inc()

    async def _attempt(self, claim: ledger.Claim, job_log: structlog.stdlib.BoundLogger) -> str:
        try:
            await self._handle(claim)
        except StaleLeaseError:
            job_log.warning("job.lease_lost")
            return "lease_lost"
        except JobYieldError:
            await ledger.release(claim)
            return "yielded"
        except JobCancelledError:
            await ledger.mark_cancelled(claim)
            return "cancelled"
        except Exception as error:  # noqa: BLE001 - the boundary: every failure of a handler is classified and stored
            return await self._store_failure(claim, error, job_log)
        return "done"

    async def _store_failure(self, claim: ledger.Claim, error: Exception, job_log: structlog.stdlib.BoundLogger) -> str:
        permanent = is_permanent(error)
        retry_after = error.retry_after if isinstance(error, TransientJobError) else None
        described = f"{type(error).__name__}: {error}"
        expected = isinstance(error, (AppError, TransientJobError, PermanentJobError, OperationalError, *OUTAGES))
        job_log.warning("job.failed", error=described[:500], permanent=permanent, exc_info=not expected)
        try:
            return await ledger.fail(claim, described, permanent=permanent, retry_after=retry_after)
        except OUTAGES as outage:
            # The lease will run out and the sweeper will ring again: nothing is lost by not writing this.
            job_log.warning("job.failure_not_stored", error=str(outage))
            return "lease_lost"

    async def _handle(self, claim: ledger.Claim) -> None:
        task = self._tasks[claim.name]
        payload = task.job.payload.model_validate(claim.payload)
        running = RunningJob(claim, self._services)
        keeper = asyncio.create_task(self._keep_lease(claim, running), name=f"lease:{claim.id}")
        try:
            async with asyncio.timeout(task.job.seconds):
                if task.job.atomic:
                    async with db.transaction():
                        await task.handler(payload, running)
                        await self._finish(claim, running)
                else:
                    await task.handler(payload, running)
                    await self._finish(claim, running)
        except TimeoutError as error:
            raise TransientJobError(f"took longer than {task.job.seconds:g} s") from error
        finally:
            keeper.cancel()

    @staticmethod
    async def _finish(claim: ledger.Claim, running: RunningJob) -> None:
        if not await ledger.finish(claim.id, claim.fence, running.result):
            raise StaleLeaseError

    async def _keep_lease(self, claim: ledger.Claim, running: RunningJob) -> None:
        """Renew every third of the lease. A lost lease needs no action here: the fence refuses the finish."""
        while True:
            await asyncio.sleep(ledger.LEASE_SECONDS / 3)
            with contextlib.suppress(*OUTAGES):
                cancel = await ledger.renew(claim.id, claim.fence)
                if cancel is None:
                    return
                running.cancel_requested = cancel

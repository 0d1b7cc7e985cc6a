"""Doing one job: keep the lease, run the handler, finish in the transaction of its effect."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram

from scaicms.infra import db
from scaicms.infra.jobs import claims, expired_leases, ledger
from scaicms.infra.jobs.claims import LEASE_SECONDS, NO_SITE, Claim
from scaicms.infra.jobs.control import CANCELLING, STOPPED
from scaicms.infra.jobs.declare import Task
from scaicms.infra.jobs.errors import JobCancelledError, JobYieldError, StaleLeaseError, TransientJobError
from scaicms.infra.jobs.expired_leases import MAX_OUTAGES, QUARANTINE_REASON, Expired
from scaicms.infra.jobs.failures import is_expected, is_permanent, reason_of
from scaicms.infra.jobs.giving_up import Promised, tell_waiting
from scaicms.infra.jobs.outages import LEDGER_ERRORS, OUTAGES, is_outage
from scaicms.infra.jobs.running import RunningJob
from scaicms.infra.jobs.slots import Slots
from scaicms.infra.services import Services

ANSWER_SECONDS = 3.0
"""For statements of the ledger that touch one row."""
RETRY_SECONDS = 1.0

_jobs = Counter("scaicms_jobs_total", "Attempts at jobs by outcome", ["queue", "name", "outcome"])
_seconds = Histogram("scaicms_job_seconds", "Duration of attempts", ["queue", "name"])
_wait = Histogram("scaicms_job_wait_seconds", "From when a job was due to its start", ["queue"])
log = structlog.get_logger(__name__)


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
        # Outcomes that could not be written, by what the database answers again.
        self._unwritten: dict[tuple[UUID, int], tuple[Claim, Exception, bool]] = {}
        self.slots = Slots()
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
        running = self.running[claim.id, claim.fence] = RunningJob(claim, self._services, self.slots)
        job_log = log.bind(job_id=str(claim.id), job=claim.name, attempt=claim.attempts + 1)
        _wait.labels(claim.queue).observe(claim.waited)
        try:
            with _seconds.labels(claim.queue, claim.name).time():
                outcome = await self._attempt(claim, running, job_log)
        except asyncio.CancelledError:
            # Told to stop (SIGTERM after the drain): hand the job back, charge nothing.
            with contextlib.suppress(*LEDGER_ERRORS):
                async with db.aside():
                    await asyncio.shield(db.within(ANSWER_SECONDS, ledger.release(claim)))
            raise
        finally:
            del self.running[claim.id, claim.fence]
        _jobs.labels(claim.queue, claim.name, outcome).inc()

    async def _attempt(self, claim: Claim, running: RunningJob, job_log: structlog.stdlib.BoundLogger) -> str:
        try:
            await self._handle(claim, running)
        except Exception as error:  # noqa: BLE001 - the boundary: every failure of a handler is classified and stored
            return await self._settle(claim, error, running.was_ledger_away, job_log)
        return "done"

    async def _settle(self, claim: Claim, error: Exception, away: bool, job_log: structlog.stdlib.BoundLogger) -> str:
        """Write why a job has not been done, now or when the database answers again; the outcome."""
        try:
            return await self._store(claim, error, away, job_log)
        except LEDGER_ERRORS as failure:
            job_log.warning("job.outcome_not_stored", error=f"{type(failure).__name__}: {failure}")
            self._unwritten[claim.id, claim.fence] = (claim, error, True)
            return "outcome_not_stored"

    async def _store(self, claim: Claim, error: Exception, away: bool, job_log: structlog.stdlib.BoundLogger) -> str:
        if isinstance(error, StaleLeaseError):
            job_log.warning("job.lease_lost")
            return "lease_lost"
        if isinstance(error, JobCancelledError):
            return await self._give_up(claim, "cancelled", STOPPED, charged=False)
        if isinstance(error, JobYieldError):
            async with db.aside():
                await db.within(ANSWER_SECONDS, ledger.release(claim, after=error.after))
            return "yielded"
        permanent = is_permanent(error)
        outage = is_outage(error) or (away and not permanent)
        expected = outage or is_expected(error)
        text = f"{type(error).__name__}: {error}"[:500]
        job_log.warning(
            "job.failed", error=text, permanent=permanent, outage=outage, exc_info=None if expected else error
        )
        if outage and claim.outages < MAX_OUTAGES:
            stored = ledger.return_uncharged(claim)
            outcome = "outage"
        elif permanent or claim.attempts + 1 >= claim.max_attempts:
            return await self._give_up(claim, "dead", reason_of(error), charged=True)
        else:
            retry_after = error.retry_after if isinstance(error, TransientJobError) else None
            stored = ledger.retry_later(claim, reason_of(error), retry_after=retry_after)
            outcome = "retried"
        async with db.aside():
            if await db.within(ANSWER_SECONDS, stored):
                return outcome
            stopped = await db.within(ANSWER_SECONDS, ledger.is_asked_to_stop(claim))
        return await self._give_up(claim, "cancelled", STOPPED, charged=True) if stopped else "lease_lost"

    async def _give_up(self, claim: Claim, state: str, reason: str, *, charged: bool) -> str:
        """End the job for good, in one transaction with what that means for whatever waits for it."""

        async def give_up() -> None:
            async with db.transaction():
                await tell_waiting(self._services, _promised(claim), state, reason, self._tasks.get(claim.name))
                if not await ledger.end(claim, state, reason, charged=charged):
                    raise StaleLeaseError

        try:
            await db.again(give_up)
        except StaleLeaseError:
            return "lease_lost"
        return state

    async def set_aside(self, lease: Expired) -> None:
        """Quarantine a job whose worker died once too often, in one transaction with what waits for it."""

        async def set_aside() -> None:
            async with db.transaction():
                job, task = _promised(lease), self._tasks.get(lease.name)
                await tell_waiting(self._services, job, "quarantined", QUARANTINE_REASON, task)
                if not await ledger.quarantine(lease, QUARANTINE_REASON):
                    raise StaleLeaseError

        with contextlib.suppress(StaleLeaseError):
            await db.again(set_aside)
            expired_leases.count_quarantined(lease)

    async def hand_back(self) -> None:
        """Hand back, uncharged, the jobs that have not stopped although they were cancelled: the process ends now."""
        claims = [running.claim for running in self.running.values()]
        with contextlib.suppress(*LEDGER_ERRORS):
            async with db.aside():
                await db.within(ANSWER_SECONDS, _release_all(claims))

    async def write_outcomes_forever(self) -> None:
        """Write the outcomes that could not be written, once the database answers, until cancelled."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            await self.write_outcomes()

    async def write_outcomes(self) -> None:
        """Try once to write what could not be written."""
        for key, (claim, error, away) in list(self._unwritten.items()):
            try:
                outcome = await self._store(claim, error, away, log.bind(job_id=str(claim.id), job=claim.name))
            except OUTAGES:
                return
            except Exception:  # the sweeper takes the job back
                log.exception("job.outcome_not_stored", job_id=str(claim.id))
                outcome = "outcome_not_stored"
            del self._unwritten[key]
            _jobs.labels(claim.queue, claim.name, outcome).inc()

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
        await running.clean_up()

    @staticmethod
    async def _finish(claim: Claim, running: RunningJob) -> None:
        if not running.is_finished and not await ledger.finish(claim.id, claim.fence, running.result):
            raise StaleLeaseError

    async def _keep_lease(self, claim: Claim, running: RunningJob) -> None:
        """Renew every third of the lease. A lost lease needs no action here: the fence refuses the finish."""
        pause = LEASE_SECONDS / 3
        while True:
            await asyncio.sleep(pause)
            try:
                async with db.aside():
                    cancel = await db.within(ANSWER_SECONDS, ledger.renew(claim.id, claim.fence))
            except LEDGER_ERRORS as error:
                # The job's own transaction may have locked the row for a moment; that is no outage.
                running.was_ledger_away |= isinstance(error, OUTAGES)
                pause = min(RETRY_SECONDS, LEASE_SECONDS / 3)
                continue
            pause = LEASE_SECONDS / 3
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


async def _release_all(claims: Sequence[Claim]) -> None:
    for claim in claims:
        await ledger.release(claim)


def _promised(job: Claim | Expired) -> Promised:
    return Promised(job.id, job.name, job.version, job.payload, job.site_id)

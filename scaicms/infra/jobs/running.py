"""What a handler is told about the job it is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from scaicms.infra.jobs import ledger
from scaicms.infra.jobs.errors import JobCancelledError, StaleLeaseError
from scaicms.infra.jobs.slots import Slots

if TYPE_CHECKING:  # services are built over resources, which hold the doorbell: a cycle at run time
    from scaicms.infra.jobs.claims import Claim
    from scaicms.infra.services import Services

log = structlog.get_logger(__name__)


class RunningJob:
    """The job at hand: its identity, the services to call, and how to report on the way."""

    def __init__(self, claim: Claim, services: Services, slots: Slots) -> None:
        self.claim = claim
        self._slots = slots
        self._interruptible: asyncio.Task[Any] | None = None
        self._when_finished: Callable[[], Awaitable[None]] | None = None
        self.services = services
        self.result: Any = None
        """Kept with the finished job and shown by `GET /search/jobs/{id}`; JSON-safe."""
        self.cancel_requested = claim.cancel_requested
        self.is_finished = False
        """Whether the ledger says that the job is done: the handler has finished it along with its effects."""
        self.was_ledger_away = False
        """Whether the lease could not be renewed during this attempt: its failure may be that of an engine."""

    @property
    def id(self) -> UUID:
        return self.claim.id

    @property
    def site_id(self) -> UUID | None:
        return self.claim.site_id

    @property
    def progress(self) -> Any:
        """What the last checkpoint wrote, also one of an earlier attempt; None at the first start."""
        return self.claim.progress

    def stop_if_cancelled(self) -> None:
        """Call before work that no transaction can undo.

        Raises:
            JobCancelledError: somebody asked the job to stop.
        """
        if self.cancel_requested:
            raise JobCancelledError

    async def finish(self) -> None:
        """Call as the last thing in the handler's last transaction: its effects and the end of the job commit together.

        Raises:
            StaleLeaseError: another worker has the job; let it pass, so that the transaction rolls back.
            JobCancelledError: somebody asked the job to stop.
        """
        self.stop_if_cancelled()
        if not await ledger.finish(self.claim.id, self.claim.fence, self.result):
            raise StaleLeaseError
        self.is_finished = True

    async def checkpoint(self, progress: Any) -> None:
        """Call inside the transaction of the work just done: its effects and this progress commit together.

        Raises:
            StaleLeaseError: another worker has the job; let it pass, so that the transaction rolls back.
            JobCancelledError: somebody asked the job to stop.
        """
        self.stop_if_cancelled()
        if not await ledger.checkpoint(self.claim.id, self.claim.fence, progress):
            raise StaleLeaseError

    def waiting_outside(self) -> AbstractContextManager[None]:
        """For the time in which the job waits for an answer from outside: another job has its slot meanwhile."""
        return self._slots.given_away(self.claim.queue)

    def interruptible(self, task: asyncio.Task[Any] | None) -> None:
        """What may be interrupted when the job is to stop: work in one transaction, which leaves nothing behind."""
        self._interruptible = task

    def when_finished(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do this once the job is finished and that is committed: clean up what another attempt would need. It is not
        done where the process ends before."""
        self._when_finished = act

    async def clean_up(self) -> None:
        """What `when_finished` was given; that it fails is logged and changes nothing."""
        if self._when_finished is not None:
            try:
                await self._when_finished()
            except Exception as error:  # noqa: BLE001 - the job is done whatever this meets
                log.warning("job.clean_up_failed", job_id=str(self.id), error=f"{type(error).__name__}: {error}")

    def cancel(self) -> None:
        """Stop: an atomic job at once, the others at their next checkpoint."""
        if not self.cancel_requested:
            self.cancel_requested = True
            if self._interruptible is not None:
                self._interruptible.cancel()

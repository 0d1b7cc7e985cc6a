"""Turns of the deliveries to one webhook: how many requests are under way, and which delivery is next.

Each process has a limit for each webhook. A delivery beyond it stands in line, in the order in which the deliveries
became due, and its job sleeps in the ledger. The job that ends a request
wakes as many deliveries of the line as there are free turns. A line whose wakers were killed wakes by itself: its
sleeps are spread, and the first of them ends soon.
"""

import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import structlog
from asyncpg import Record

from scaicms.features.webhooks import line_repository
from scaicms.infra.jobs import JobYieldError
from scaicms.infra.jobs.order import put_off
from scaicms.infra.jobs.outages import LEDGER_ERRORS

SHARE = 0.4
"""The part of a process's jobs that may be for one webhook; one that answers quickly may have as many as all of them,
one that is failing has one."""
QUICK_SECONDS = 1.0
SLEEP_SECONDS = 2.0
"""The shortest sleep. A delivery that is woken sleeps less."""
SPREAD_SECONDS = 0.1
"""Sleeps are spread over this time for each delivery in line: ten a second look again, however many there are."""
LONGEST_LINE = 6000
"""Deliveries in line that are counted; the longest sleep follows from it."""
BATCH = 500
MAX_REMEMBERED = 5000
log = structlog.get_logger(__name__)


class Turns:
    """The webhooks that one process sends to; `slots` is how many jobs it does at the same time."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._running: Counter[UUID] = Counter()
        self._seconds: dict[UUID, float] = {}
        self._lines: set[UUID] = set()

    @contextlib.asynccontextmanager
    async def turn(self, delivery_id: UUID, found: Record) -> AsyncIterator[None]:
        """A turn for one request; `found` is what `webhook_of` says of the delivery.

        Raises:
            JobYieldError: it is not this delivery's turn; it is woken when it is.
        """
        webhook_id = found["webhook_id"]
        if self._running[webhook_id] >= self._limit(webhook_id, is_failing=found["failing"]):
            await self._stand_in_line(webhook_id, delivery_id)
        self._running[webhook_id] += 1
        try:
            yield
        finally:
            self._running[webhook_id] -= 1
            if found["others_wait"] or webhook_id in self._lines:
                await self._wake(webhook_id)
            if not self._running[webhook_id]:
                del self._running[webhook_id]

    def took(self, webhook_id: UUID, seconds: float, *, is_success: bool) -> None:
        """Remember how a request went. A failure makes the webhook an unknown one again."""
        known = self._seconds.pop(webhook_id, None)
        if not is_success:
            return
        self._seconds[webhook_id] = seconds if known is None else known * 0.7 + seconds * 0.3
        if len(self._seconds) > MAX_REMEMBERED:
            del self._seconds[next(iter(self._seconds))]

    def _limit(self, webhook_id: UUID, *, is_failing: bool) -> int:
        if is_failing:
            return 1
        is_quick = self._seconds.get(webhook_id, QUICK_SECONDS) < QUICK_SECONDS
        return self._slots if is_quick else max(1, int(self._slots * SHARE))

    async def _stand_in_line(self, webhook_id: UUID, delivery_id: UUID) -> None:
        """Put this delivery's job to sleep, and all others that are due for the webhook with it, in one statement:
        they would be claimed one by one to find the same."""
        await line_repository.join(delivery_id)
        spread = SPREAD_SECONDS * await line_repository.length(webhook_id, limit=LONGEST_LINE)
        await put_off(await line_repository.due_jobs(webhook_id, limit=BATCH), after=SLEEP_SECONDS, spread=spread)
        if len(self._lines) >= MAX_REMEMBERED:
            self._lines.clear()  # the next delivery in line remembers it again
        self._lines.add(webhook_id)
        raise JobYieldError(after=SLEEP_SECONDS + random.uniform(0, spread))  # noqa: S311 - spreads load, hides nothing

    async def _wake(self, webhook_id: UUID) -> None:
        """Wake as many as have a turn now."""
        free = self._limit(webhook_id, is_failing=webhook_id not in self._seconds) - self._running[webhook_id]
        if free <= 0:
            return
        try:
            if not await line_repository.wake(webhook_id, number=free):
                # Nobody is asleep at its front. Those that are awake see for themselves whether others wait.
                self._lines.discard(webhook_id)
        except LEDGER_ERRORS as error:  # the line wakes by itself
            log.warning("webhook.line_not_woken", webhook_id=str(webhook_id), error=type(error).__name__)

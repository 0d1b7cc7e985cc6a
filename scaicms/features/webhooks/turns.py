"""Turns of the deliveries to one webhook: how many requests are under way, and which delivery is next.

Each process has a limit for each webhook. A delivery beyond it waits a moment for a turn if the receiver is known to
answer quickly. Otherwise it stands in line, in the order in which the deliveries became due, and its job sleeps in the
ledger. The end of a request wakes as many deliveries of the line as there are free turns. A line whose wakers were
killed wakes by itself: its sleeps are spread, and the first of them ends soon.
"""

import asyncio
import contextlib
import random
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from scaicms.features.webhooks import line_repository
from scaicms.infra.db.batches import Batches
from scaicms.infra.jobs import JobYieldError
from scaicms.infra.jobs.order import put_off
from scaicms.infra.jobs.outages import LEDGER_ERRORS

CAPACITY = 200
"""Requests of one process at the same time, over all webhooks. Beyond it each webhook still has one."""
PART = 3
"""A webhook has at most this part of what is free of the capacity: several that hang leave room for the others."""
SHARE = 0.4
"""The part of a process's jobs that may be for one webhook whose receiver is slow or unknown."""
QUICK_SHARE = 2
"""Requests to one quick receiver, as a multiple of the process's jobs: a request takes no slot while it waits."""
QUICK_SECONDS = 1.0
PATIENCE_SECONDS = 0.25
"""How long a delivery to a quick receiver waits for a turn. Meanwhile it has a slot of the process."""
NAP_SECONDS = 0.25
"""How long deliveries sleep, and over how long their sleeps are spread, while no answer is late yet."""
JOINING_SECONDS = 0.5
"""How long it may take until a delivery that stands in line is asleep and can be woken."""
LOOK_SECONDS = 0.05
MAX_LOOKS = 10
SLEEP_SECONDS = 2.0
"""The shortest sleep. A delivery that is woken sleeps less."""
SPREAD_SECONDS = 0.1
"""Sleeps are spread over this time for each delivery in line: ten a second look again, however many there are."""
LONGEST_LINE = 6000
"""Deliveries in line that are counted; the longest sleep follows from it."""
BATCH = 500
MAX_REMEMBERED = 5000
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Receiver:
    """What a process knows of a webhook to which it sends."""

    begun: OrderedDict[UUID, float] = field(default_factory=OrderedDict)
    """When the requests under way began, the oldest first, by delivery."""
    waiting: deque[tuple[UUID, "asyncio.Future[None]"]] = field(default_factory=deque)
    """Deliveries that wait a moment for a turn."""
    is_waking: bool = False
    shall_wake: bool = False

    @property
    def age(self) -> float:
        """Seconds since the oldest request under way began."""
        return time.monotonic() - next(iter(self.begun.values())) if self.begun else 0.0


class Turns:
    """The webhooks that one process sends to; `slots` is how many jobs it does at the same time."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._running = 0
        self._receivers: dict[UUID, _Receiver] = {}
        self._seconds: dict[UUID, float] = {}
        self._lines: dict[UUID, float] = {}
        """Webhooks with a line, and when a delivery of this process last joined it."""
        self._standing = Batches(self._stand_in_line)

    @contextlib.asynccontextmanager
    async def turn(
        self, webhook_id: UUID, delivery_id: UUID, *, is_failing: bool, has_line: bool
    ) -> AsyncIterator[None]:
        """A turn for one request. `has_line`: deliveries for this webhook are asleep.

        Raises:
            JobYieldError: it is not this delivery's turn; it is woken when it is.
        """
        receiver = self._receivers.setdefault(webhook_id, _Receiver())
        try:
            if receiver.waiting or not self._has_turn(webhook_id, receiver, is_failing=is_failing):
                await self._await_turn(webhook_id, delivery_id, receiver, is_failing=is_failing)
            else:
                self._begin(receiver, delivery_id)
            try:
                yield
            finally:
                self._end(webhook_id, delivery_id, receiver)
                if has_line or webhook_id in self._lines:
                    await self._wake(webhook_id, receiver)
        finally:
            if not (receiver.begun or receiver.waiting or receiver.is_waking):
                self._receivers.pop(webhook_id, None)

    def took(self, webhook_id: UUID, seconds: float, *, is_success: bool) -> None:
        """Remember how a request went. A failure makes the webhook an unknown one again."""
        known = self._seconds.pop(webhook_id, None)
        if not is_success:
            return
        self._seconds[webhook_id] = seconds if known is None else known * 0.7 + seconds * 0.3
        if len(self._seconds) > MAX_REMEMBERED:
            del self._seconds[next(iter(self._seconds))]

    def _begin(self, receiver: _Receiver, delivery_id: UUID) -> None:
        receiver.begun[delivery_id] = time.monotonic()
        self._running += 1

    def _end(self, webhook_id: UUID, delivery_id: UUID, receiver: _Receiver) -> None:
        """Give the turn back, and to those that wait for one."""
        del receiver.begun[delivery_id]
        self._running -= 1
        while receiver.waiting and self._has_turn(webhook_id, receiver, is_failing=webhook_id not in self._seconds):
            waiting_id, future = receiver.waiting.popleft()
            if not future.done():
                self._begin(receiver, waiting_id)
                future.set_result(None)

    def _has_turn(self, webhook_id: UUID, receiver: _Receiver, *, is_failing: bool) -> bool:
        return len(receiver.begun) < self._limit(webhook_id, receiver, is_failing=is_failing)

    def _limit(self, webhook_id: UUID, receiver: _Receiver, *, is_failing: bool) -> int:
        if is_failing:
            return 1
        part = max(1, (CAPACITY - self._running + len(receiver.begun)) // PART)
        share = QUICK_SHARE if self._is_quick(webhook_id, receiver) else SHARE
        return min(part, max(1, int(self._slots * share)))

    def _is_quick(self, webhook_id: UUID, receiver: _Receiver) -> bool:
        known = self._seconds.get(webhook_id)
        return known is not None and known < QUICK_SECONDS and receiver.age < QUICK_SECONDS

    async def _await_turn(self, webhook_id: UUID, delivery_id: UUID, receiver: _Receiver, *, is_failing: bool) -> None:
        """Return with a turn, soon, or stand in line."""
        can_wait = not is_failing and self._is_quick(webhook_id, receiver)
        if can_wait and await self._has_come(webhook_id, delivery_id, receiver):
            return
        if len(self._lines) >= MAX_REMEMBERED:
            self._lines.clear()  # the next delivery in line remembers it again
        self._lines[webhook_id] = time.monotonic()
        seconds = await self._standing.do((webhook_id, delivery_id, self._is_late(webhook_id, receiver, is_failing)))
        if receiver.waiting or not self._has_turn(webhook_id, receiver, is_failing=is_failing):
            self._lines[webhook_id] = time.monotonic()
            raise JobYieldError(after=seconds)
        self._begin(receiver, delivery_id)

    async def _has_come(self, webhook_id: UUID, delivery_id: UUID, receiver: _Receiver) -> bool:
        """Wait for a turn; whether it has come."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        receiver.waiting.append((delivery_id, future))
        try:
            await asyncio.wait((future,), timeout=PATIENCE_SECONDS)
        except asyncio.CancelledError:
            if future.done():
                self._end(webhook_id, delivery_id, receiver)
            raise
        finally:
            if not future.done():
                receiver.waiting.remove((delivery_id, future))
        return future.done()

    def _is_late(self, webhook_id: UUID, receiver: _Receiver, is_failing: bool) -> bool:
        """Whether answers take long, or no answer may come at all."""
        return is_failing or max(receiver.age, self._seconds.get(webhook_id, 0.0)) >= QUICK_SECONDS

    async def _stand_in_line(self, given: Sequence[tuple[UUID, UUID, bool]]) -> list[float]:
        """Put all jobs to sleep that are due for these webhooks: they would be claimed one by one to find the same. The
        result has for each delivery how long its own job must sleep, in seconds."""
        lines: dict[tuple[UUID, bool], list[UUID]] = defaultdict(list)
        for webhook_id, delivery_id, is_late in given:
            lines[webhook_id, is_late].append(delivery_id)
        sleeps: dict[tuple[UUID, bool], tuple[float, float]] = {}
        for (webhook_id, is_late), delivery_ids in lines.items():
            await line_repository.join(delivery_ids)
            after, spread = NAP_SECONDS, NAP_SECONDS
            if is_late:
                length = await line_repository.length(webhook_id, limit=LONGEST_LINE)
                after, spread = SLEEP_SECONDS, SPREAD_SECONDS * length
            await put_off(await line_repository.due_jobs(webhook_id, limit=BATCH), after=after, spread=spread)
            sleeps[webhook_id, is_late] = (after, after + spread)
        return [
            random.uniform(*sleeps[webhook_id, is_late])  # noqa: S311 - spreads load, hides nothing
            for webhook_id, _, is_late in given
        ]

    async def _wake(self, webhook_id: UUID, receiver: _Receiver) -> None:
        """Wake as many as have a turn now. One task of the process does so for a webhook, for all whose requests end
        meanwhile."""
        receiver.shall_wake = True
        if receiver.is_waking:
            return
        receiver.is_waking = True
        looks = 0
        try:
            while receiver.shall_wake:
                receiver.shall_wake = False
                is_failing = webhook_id not in self._seconds
                free = self._limit(webhook_id, receiver, is_failing=is_failing) - len(receiver.begun)
                if free <= 0 or await line_repository.wake(webhook_id, number=free):
                    continue
                is_joining = time.monotonic() - self._lines.get(webhook_id, 0.0) < JOINING_SECONDS
                if is_joining and looks < MAX_LOOKS:
                    looks += 1
                    await asyncio.sleep(LOOK_SECONDS)
                    receiver.shall_wake = True
                else:
                    # Nobody is asleep at its front. Those that are awake see for themselves whether others wait.
                    self._lines.pop(webhook_id, None)
        except LEDGER_ERRORS as error:  # the line wakes by itself
            log.warning("webhook.line_not_woken", webhook_id=str(webhook_id), error=type(error).__name__)
        finally:
            receiver.is_waking = False

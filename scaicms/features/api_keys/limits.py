"""How many requests a key may make: sliding windows in Redis, of which a process takes a few permits at a time.

A busy key costs one round trip for some twentieth of its limit, not one a request; a quiet one takes permits singly,
so that processes do not sit on what others need. While Redis is away, each process counts for itself.
"""

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from uuid import UUID

from arq.connections import ArqRedis
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from scaicms.infra.limits import shared_windows
from scaicms.kit.errors import TooManyRequestsError

MAX_WINDOWS = 10_000
LARGEST_PART = 20
"""The largest batch is this part of the limit."""
GOOD_SECONDS = 5.0
"""Permits that were not used by then are forfeited."""
BUSY_SECONDS = 2.0
"""A batch used up within this time is followed by a larger one."""
OUTAGE_SECONDS = 10.0
REFUSAL_SECONDS = 1.0
"""After a refusal Redis is not asked again for this long, however often the caller tries."""


@dataclass(slots=True)
class _Window:
    """What this process may still let through for one key; times are of the monotonic clock."""

    permits: int = 0
    taken_at: float = 0.0
    batch: int = 1
    refused_until: float = 0.0
    retry_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class KeyLimits:
    """The windows of all keys, as one process sees them."""

    def __init__(self, redis: ArqRedis) -> None:
        self._shared = SlidingWindowCounterRateLimiter(shared_windows(redis))
        self._local = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._local_until = 0.0
        self._windows: OrderedDict[UUID, _Window] = OrderedDict()

    async def take(self, key_id: UUID, per_minute: int) -> None:
        """Let one request of a key through.

        Raises:
            TooManyRequestsError: the key has made `per_minute` requests in the last minute.
        """
        window = self._windows.get(key_id)
        if window is None:
            window = self._windows[key_id] = _Window()
            if len(self._windows) > MAX_WINDOWS:
                self._windows.popitem(last=False)
        if window.permits > 0 and time.monotonic() - window.taken_at < GOOD_SECONDS:
            window.permits -= 1
            return
        async with window.lock:
            await self._take_slowly(window, key_id, per_minute)

    async def _take_slowly(self, window: _Window, key_id: UUID, per_minute: int) -> None:
        now = time.monotonic()
        if window.permits <= 0 or now - window.taken_at >= GOOD_SECONDS:
            if now < window.refused_until:
                raise _refusal(per_minute, window.retry_at - now)
            busy = window.permits <= 0 and now - window.taken_at < BUSY_SECONDS
            window.batch = min(window.batch * 2, max(1, per_minute // LARGEST_PART)) if busy else 1
            await self._refill(window, RateLimitItemPerMinute(per_minute, namespace="api-key"), str(key_id))
        window.permits -= 1

    async def _refill(self, window: _Window, item: RateLimitItem, key_id: str) -> None:
        limiter = self._local if time.monotonic() < self._local_until else self._shared
        try:
            await self._ask(limiter, window, item, key_id)
        except (RedisError, OSError):
            self._local_until = time.monotonic() + OUTAGE_SECONDS
            await self._ask(self._local, window, item, key_id)

    @staticmethod
    async def _ask(limiter: SlidingWindowCounterRateLimiter, window: _Window, item: RateLimitItem, key_id: str) -> None:
        for size in (window.batch, 1) if window.batch > 1 else (1,):
            if await limiter.hit(item, key_id, cost=size):
                window.permits, window.batch, window.taken_at = size, size, time.monotonic()
                return
        reset_at, _ = await limiter.get_window_stats(item, key_id)
        wait = max(1.0, reset_at - time.time())
        window.permits = 0
        window.retry_at = time.monotonic() + wait
        window.refused_until = time.monotonic() + min(wait, REFUSAL_SECONDS)
        raise _refusal(item.amount, wait)


def _refusal(per_minute: int, wait: float) -> TooManyRequestsError:
    seconds = max(1, math.ceil(wait))
    return TooManyRequestsError(
        f"This key may make {per_minute} requests a minute; try again in {seconds} s.", retry_after=seconds
    )

"""Rates that all processes count together: moving windows of the library `limits` in Redis.

A limit by address counts networks. One customer of an Internet provider has at least a whole IPv6 /64 (RFC 6177), so
single IPv6 addresses are no obstacle to anybody.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from arq.connections import ArqRedis
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from scaicms.kit.errors import TooManyRequestsError
from scaicms.kit.networks import rate_networks

ResultT = TypeVar("ResultT")

ANSWER_SECONDS = 0.15
"""Redis has this long to answer; then the process counts by itself."""
LATE_SECONDS = 0.02
"""A timeout that fires this late shows a stall of this process."""
OUTAGE_SECONDS = 10.0
"""After a failure the process counts by itself for this long before it uses Redis again."""
MAILED_TOKENS_PER_NETWORK = RateLimitItemPerMinute(20, namespace="mailed-token-ip")
"""Uses of tokens that were mailed (password resets, invitations), right or wrong."""
WIDTH_FACTOR = 2
"""Each wider network may make this many times as many attempts as the one inside it: /64, then /56, then /48."""


class _Windows(RedisStorage):
    """Through redis-py alone: the library imports every client that is installed, and the one of Valkey (the embedded
    engine brings it along) is three megabytes in each process."""

    DEPENDENCIES = {"redis": None}  # noqa: RUF012 - declared by the library as one of the instance


def shared_windows(redis: ArqRedis) -> RedisStorage:
    """The windows that all processes share, over the connections there are. What to do while Redis is away is the
    caller's to decide."""
    pool: Any = redis.connection_pool  # the library's own options are typed as scalars
    return _Windows("async+redis://", implementation="redispy", connection_pool=pool, key_prefix="scaicms:limits")


class RateLimits:
    """Counts attempts in Redis. While Redis is away or frozen, each process counts for itself."""

    def __init__(self, redis: ArqRedis) -> None:
        self._shared = MovingWindowRateLimiter(shared_windows(redis))
        self._local = MovingWindowRateLimiter(MemoryStorage())
        self._local_until = 0.0

    async def take(self, limit: RateLimitItem, key: str) -> None:
        """Count one attempt.

        Raises:
            TooManyRequestsError: the window of this key is full. It says when the next attempt is possible.
        """
        if not await self.hit(limit, key):
            seconds = max(1, math.ceil(await self._reset_at(limit, key) - time.time()))
            raise TooManyRequestsError(f"Too many attempts. Retry in {seconds} s.", retry_after=seconds)

    async def take_network(self, limit: RateLimitItem, address: str, *, account: str = "") -> None:
        """Count one attempt of the narrowest network around an address; raises as `take`."""
        await self.take(limit, f"{account}{rate_networks(address)[0]}")

    async def take_wider_networks(self, limit: RateLimitItem, address: str, *, account: str = "") -> None:
        """Count one attempt of each wider network around an address, whose limits are higher; raises as `take`."""
        for step, network in enumerate(rate_networks(address)[1:], start=1):
            await self.take(_larger(limit, WIDTH_FACTOR**step), f"{account}{network}")

    async def take_address(self, limit: RateLimitItem, address: str) -> None:
        """Count one attempt of all networks around an address; raises as `take`."""
        await self.take_network(limit, address)
        await self.take_wider_networks(limit, address)

    async def hit(self, limit: RateLimitItem, key: str) -> bool:
        """Count one attempt; False when the window is full."""
        return await self._ask(lambda windows: windows.hit(limit, key))

    async def left(self, limit: RateLimitItem, key: str) -> int:
        """Attempts that the window still has room for."""
        return (await self._ask(lambda windows: windows.get_window_stats(limit, key))).remaining

    async def clear(self, limit: RateLimitItem, key: str) -> None:
        await self._ask(lambda windows: windows.clear(limit, key))

    async def _reset_at(self, limit: RateLimitItem, key: str) -> float:
        return (await self._ask(lambda windows: windows.get_window_stats(limit, key))).reset_time

    async def _ask(self, ask: Callable[[MovingWindowRateLimiter], Awaitable[ResultT]]) -> ResultT:
        if time.monotonic() >= self._local_until:
            for last in (False, True):
                started = time.monotonic()
                try:
                    async with asyncio.timeout(ANSWER_SECONDS):
                        return await ask(self._shared)
                except TimeoutError:
                    # A busy process is late itself. That says nothing about Redis.
                    if last or time.monotonic() - started < ANSWER_SECONDS + LATE_SECONDS:
                        break
                except (RedisError, OSError):
                    break
            self._local_until = time.monotonic() + OUTAGE_SECONDS
        return await ask(self._local)


def _larger(limit: RateLimitItem, factor: int) -> RateLimitItem:
    return type(limit)(limit.amount * factor, limit.multiples, namespace=limit.namespace)

"""How often somebody may try to log in: moving windows in Redis, in the process while Redis is away."""

import hashlib
import math
import time
from typing import Any

from arq.connections import ArqRedis
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from scaicms.kit.errors import TooManyRequestsError

PER_ACCOUNT_AND_IP = RateLimitItemPerMinute(5, namespace="login-account")
PER_IP = RateLimitItemPerMinute(20, namespace="login-ip")


class LoginLimits:
    """Counts tries. The victim of somebody else's guessing, elsewhere, is not locked out."""

    def __init__(self, redis: ArqRedis) -> None:
        pool: Any = redis.connection_pool  # the library's own options are typed as scalars
        shared = RedisStorage(
            "async+redis://",
            implementation="redispy",
            connection_pool=pool,
            key_prefix="scaicms:limits",
        )
        self._shared = MovingWindowRateLimiter(shared)
        self._local = MovingWindowRateLimiter(MemoryStorage())

    async def count(self, email: str, ip: str) -> None:
        """Count one try.

        Raises:
            TooManyRequestsError: this address at this account, or this address, has tried too often.
        """
        account = hashlib.sha256(email.encode()).hexdigest()[:16]
        await self._take(PER_IP, ip)
        await self._take(PER_ACCOUNT_AND_IP, f"{account}:{ip}")

    async def _take(self, limit: RateLimitItem, who: str) -> None:
        limiter = self._shared
        try:
            allowed = await limiter.hit(limit, who)
        except (RedisError, OSError):
            limiter = self._local
            allowed = await limiter.hit(limit, who)
        if not allowed:
            reset_at, _ = await limiter.get_window_stats(limit, who)
            seconds = max(1, math.ceil(reset_at - time.time()))
            raise TooManyRequestsError(f"Too many tries; try again in {seconds} s.", retry_after=seconds)

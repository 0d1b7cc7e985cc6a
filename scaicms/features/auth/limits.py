"""How often somebody may try: moving windows in Redis, in the process while Redis is away."""

import asyncio
import hashlib
import math
import time
from uuid import UUID

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from scaicms.infra.limits import shared_windows
from scaicms.infra.services import Service, Services
from scaicms.kit.errors import TooManyRequestsError

PER_ACCOUNT_AND_IP = RateLimitItemPerMinute(5, namespace="login-account")
PER_IP = RateLimitItemPerMinute(20, namespace="login-ip")
RESETS_PER_ACCOUNT_AND_IP = RateLimitItemPerHour(3, namespace="reset-account")
RESETS_PER_IP = RateLimitItemPerHour(20, namespace="reset-ip")
MAILS_PER_ACCOUNT = RateLimitItemPerHour(6, namespace="reset-mail")
WRONG_CODES = RateLimitItemPerHour(20, namespace="wrong-code")
PROVIDERS_PER_IP = RateLimitItemPerMinute(60, namespace="oidc-ip")
FAILURES = RateLimitItemPerMinute(20, multiples=15, namespace="login-failed")
FIRST_DELAY, LONGEST_DELAY = 0.25, 2.0


class LoginLimits(Service):
    """Counts tries. The victim of somebody else's guessing, elsewhere, is neither locked out nor delayed."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._shared = MovingWindowRateLimiter(shared_windows(services.resources.redis))
        self._local = MovingWindowRateLimiter(MemoryStorage())

    async def count(self, email: str, ip: str) -> None:
        """Count one try to log in.

        Raises:
            TooManyRequestsError: this address at this account, or this address, has tried too often.
        """
        await self._take(PER_IP, ip)
        await self._take(PER_ACCOUNT_AND_IP, _pair(email, ip))

    async def count_address(self, ip: str) -> None:
        """Count one step of a login by a provider, whoever it is; raises like `count`."""
        await self._take(PROVIDERS_PER_IP, ip)

    async def count_reset(self, email: str, ip: str) -> None:
        """Count one request for a password reset; raises like `count`, for unknown accounts as for known."""
        await self._take(RESETS_PER_IP, ip)
        await self._take(RESETS_PER_ACCOUNT_AND_IP, _pair(email, ip))

    async def may_mail(self, user_id: UUID) -> bool:
        """Whether somebody may get another reset mail this hour, from however many addresses it is asked for."""
        return await self._hit(MAILS_PER_ACCOUNT, str(user_id))

    async def delay(self, email: str, ip: str) -> int:
        """Wait before looking at the password: nothing after two failures in 15 min, then twice as long each time.

        Returns how many failures there were.
        """
        failures = FAILURES.amount - await self._left(FAILURES, _pair(email, ip))
        if failures > 1:
            await asyncio.sleep(min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (failures - 2)))
        return failures

    async def failed(self, email: str, ip: str) -> None:
        await self._hit(FAILURES, _pair(email, ip))

    async def succeeded(self, email: str, ip: str) -> None:
        """Forget the failures: whoever knows the password is not guessing it."""
        who = _pair(email, ip)
        try:
            await self._shared.clear(FAILURES, who)
        except (RedisError, OSError):
            await self._local.clear(FAILURES, who)

    async def wrong_code(self, user_id: UUID) -> None:
        await self._hit(WRONG_CODES, str(user_id))

    async def may_try_code(self, user_id: UUID) -> bool:
        """Whether six digits are still looked at, from wherever they come; recovery codes always are."""
        return await self._left(WRONG_CODES, str(user_id)) > 0

    async def _take(self, limit: RateLimitItem, who: str) -> None:
        if not await self._hit(limit, who):
            seconds = await self._seconds(limit, who)
            raise TooManyRequestsError(f"Too many tries; try again in {seconds} s.", retry_after=seconds)

    async def _hit(self, limit: RateLimitItem, who: str) -> bool:
        try:
            return await self._shared.hit(limit, who)
        except (RedisError, OSError):
            return await self._local.hit(limit, who)

    async def _left(self, limit: RateLimitItem, who: str) -> int:
        return (await self._stats(limit, who))[1]

    async def _seconds(self, limit: RateLimitItem, who: str) -> int:
        return max(1, math.ceil((await self._stats(limit, who))[0] - time.time()))

    async def _stats(self, limit: RateLimitItem, who: str) -> tuple[float, int]:
        try:
            reset_at, left = await self._shared.get_window_stats(limit, who)
        except (RedisError, OSError):
            reset_at, left = await self._local.get_window_stats(limit, who)
        return reset_at, left


def _pair(email: str, ip: str) -> str:
    return f"{hashlib.sha256(email.encode()).hexdigest()[:16]}:{ip}"

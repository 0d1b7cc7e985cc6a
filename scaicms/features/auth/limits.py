"""Limits of attempts to log in and to reset a password (docs/identity.md)."""

import asyncio
import hashlib
import unicodedata
from uuid import UUID

from limits import RateLimitItemPerHour, RateLimitItemPerMinute

from scaicms.features.auth import repository
from scaicms.infra.limits import MAILED_TOKENS_PER_NETWORK, RateLimits
from scaicms.infra.services import Service, Services
from scaicms.kit.networks import rate_networks

PER_ACCOUNT_AND_NETWORK = RateLimitItemPerMinute(5, namespace="login-account")
PER_NETWORK = RateLimitItemPerMinute(20, namespace="login-ip")
PER_ACCOUNT = RateLimitItemPerHour(30, namespace="login-account-anywhere")
RESETS_PER_ACCOUNT_AND_NETWORK = RateLimitItemPerHour(3, namespace="reset-account")
RESETS_PER_NETWORK = RateLimitItemPerHour(20, namespace="reset-ip")
RESETS_PER_ACCOUNT = RateLimitItemPerHour(20, namespace="reset-account-anywhere")
MAILS_PER_ACCOUNT = RateLimitItemPerHour(6, namespace="reset-mail")
WRONG_CODES = RateLimitItemPerHour(20, namespace="wrong-code")
PROVIDERS_PER_NETWORK = RateLimitItemPerMinute(60, namespace="oidc-ip")
FAILURES = RateLimitItemPerMinute(20, multiples=15, namespace="login-failed")
FIRST_DELAY, LONGEST_DELAY = 0.25, 2.0


class LoginLimits(Service):
    """Counts attempts by account and by network.

    Limits over all networks together do not apply to networks that the account has logged in from: nobody can lock an
    owner out from elsewhere.
    """

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._rates = RateLimits(services.resources.redis)

    async def count(self, email: str, ip: str) -> bool:
        """Count one attempt to log in, or to prove who one is. Returns whether the account knows the network.

        Raises:
            TooManyRequestsError: the network, or somebody at this account, has tried too often.
        """
        account = _account(email)
        await self._rates.take_network(PER_NETWORK, ip)
        await self._rates.take_network(PER_ACCOUNT_AND_NETWORK, ip, account=account)
        is_known = await repository.has_logged_in_from(email, rate_networks(ip)[0])
        if not is_known:
            await self._rates.take_wider_networks(PER_NETWORK, ip)
            await self._rates.take_wider_networks(PER_ACCOUNT_AND_NETWORK, ip, account=account)
            await self._rates.take(PER_ACCOUNT, account)
        return is_known

    async def count_address(self, ip: str) -> None:
        """Count one step of a login by a provider, for any account; raises as `count`."""
        await self._rates.take_address(PROVIDERS_PER_NETWORK, ip)

    async def count_mailed_token(self, ip: str) -> None:
        """Count one use of a token that was mailed, whether it is right or wrong; raises as `count`."""
        await self._rates.take_address(MAILED_TOKENS_PER_NETWORK, ip)

    async def count_reset(self, email: str, ip: str) -> None:
        """Count one request for a password reset, of known and unknown accounts alike; raises as `count`."""
        account = _account(email)
        await self._rates.take_network(RESETS_PER_NETWORK, ip)
        await self._rates.take_network(RESETS_PER_ACCOUNT_AND_NETWORK, ip, account=account)
        if not await repository.has_logged_in_from(email, rate_networks(ip)[0]):
            await self._rates.take_wider_networks(RESETS_PER_NETWORK, ip)
            await self._rates.take_wider_networks(RESETS_PER_ACCOUNT_AND_NETWORK, ip, account=account)
            await self._rates.take(RESETS_PER_ACCOUNT, account)

    async def may_mail(self, user_id: UUID) -> bool:
        """Count one reset mail; False when the account has had too many this hour."""
        return await self._rates.hit(MAILS_PER_ACCOUNT, str(user_id))

    async def delay(self, email: str, ip: str) -> int:
        """Wait before the password is checked: from the third failure in 15 min on, twice as long each time.

        Returns the number of failures.
        """
        failures = FAILURES.amount - await self._rates.left(FAILURES, _pair(email, ip))
        if failures > 1:
            await asyncio.sleep(min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (failures - 2)))
        return failures

    async def failed(self, email: str, ip: str) -> None:
        await self._rates.hit(FAILURES, _pair(email, ip))

    async def succeeded(self, email: str, ip: str) -> None:
        """Clear the failures that delay logins here, and the attempts from networks that were new."""
        await self._rates.clear(FAILURES, _pair(email, ip))
        await self._rates.clear(PER_ACCOUNT, _account(email))

    async def wrong_code(self, user_id: UUID, ip: str) -> None:
        await self._rates.hit(WRONG_CODES, await _code_key(user_id, ip))

    async def may_try_code(self, user_id: UUID, ip: str) -> bool:
        """Whether six digits are still checked. Networks that are new to the account share one limit; each other has
        its own. Recovery codes are always checked."""
        return await self._rates.left(WRONG_CODES, await _code_key(user_id, ip)) > 0


async def _code_key(user_id: UUID, ip: str) -> str:
    network = rate_networks(ip)[0]
    return f"{user_id} {network}" if await repository.is_known_network(user_id, network) else str(user_id)


def _account(email: str) -> str:
    """One key for all spellings of an address, also those that the account itself does not accept."""
    spelled = unicodedata.normalize("NFKC", email).casefold()
    return f"{hashlib.sha256(spelled.encode()).hexdigest()[:16]}:"


def _pair(email: str, ip: str) -> str:
    return _account(email) + rate_networks(ip)[0]

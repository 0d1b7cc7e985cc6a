"""Checking the second factor: a code from an authenticator (RFC 6238) or, once each, one from paper."""

import secrets
from base64 import b32encode
from uuid import UUID

import pyotp
import structlog
from pyotp.exceptions import OTPVerificationError

from scaicms.features.auth import repository
from scaicms.features.auth.errors import BadOtpError, OtpRequiredError, TooManyCodesError
from scaicms.features.auth.events import RecoveryCodeUsed
from scaicms.features.auth.limits import LoginLimits
from scaicms.features.auth.notices import tell
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.crypto import derive_key, digest, seal, unseal
from scaicms.kit.principal import ANONYMOUS

DRIFT_STEPS = 1
DIGITS = 6
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
log = structlog.get_logger(__name__)


class SecondFactor(Service):
    """Knows the key under which secrets of authenticators are stored."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._key = derive_key(services.resources.settings.secret.get_secret_value(), "totp")
        self._limits = services.get(LoginLimits)

    def seal(self, user_id: UUID, secret: str) -> bytes:
        return seal(self._key, secret.encode(), str(user_id))

    async def require(self, user_id: UUID, otp: str | None, *, ip: str) -> None:
        """Pass who has no second factor, or shows it. Needs an open transaction that holds the user's row.

        Raises:
            OtpRequiredError: there is one, and no code came.
            BadOtpError: the code is wrong or was used.
            TooManyCodesError: too many were wrong; recovery codes still pass.
        """
        sealed_secret = await repository.confirmed_totp(user_id)
        if sealed_secret is None:
            return
        if not otp:
            raise OtpRequiredError
        code = _plain(otp)
        if not _is_totp(code):
            await self._use_recovery_code(user_id, code)
            return
        if not await self._limits.may_try_code(user_id, ip):
            raise TooManyCodesError
        step = self.step_of(user_id, sealed_secret, code)
        if step is None or not await repository.use_step(user_id, step):
            await self._limits.wrong_code(user_id, ip)
            raise BadOtpError

    def step_of(self, user_id: UUID, sealed_secret: bytes, otp: str) -> int | None:
        """The 30-second step whose code this is, one step of drift to either side; None when it is no code of now."""
        secret = unseal(self._key, sealed_secret, str(user_id))
        if secret is None:
            log.error("auth.second_factor_unreadable", reason="SCAICMS_SECRET has changed", user_id=str(user_id))
            return None
        try:
            return pyotp.TOTP(secret.decode()).verify_and_get_timecode(
                _plain(otp), for_time=utcnow(), valid_window=DRIFT_STEPS
            )
        except OTPVerificationError:
            return None

    async def _use_recovery_code(self, user_id: UUID, code: str) -> None:
        if not await repository.use_recovery_code(user_id, digest(code)):
            raise BadOtpError
        await record(RecoveryCodeUsed(site_id=None, aggregate_id=user_id), actor=ANONYMOUS)
        await tell(user_id, "recovery_code_used")


def new_recovery_codes() -> list[str]:
    """Ten codes of 80 bits, to be shown once: too many to guess, so that a plain digest of them is safe to keep."""
    made = [b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    return ["-".join(code[i : i + 4] for i in range(0, len(code), 4)) for code in made]


def recovery_digest(code: str) -> str:
    return digest(_plain(code))


def _plain(code: str) -> str:
    """As it is compared: people type spaces, hyphens and capitals."""
    return code.replace(" ", "").replace("-", "").lower()


def _is_totp(code: str) -> bool:
    return len(code) == DIGITS and code.isascii() and code.isdecimal()

"""Use cases of one's second factor: begin, confirm, remove."""

from dataclasses import dataclass

import pyotp

from scaicms.features.auth import repository, sessions
from scaicms.features.auth.errors import BadOtpError, TotpActiveError, TotpNotActiveError
from scaicms.features.auth.events import TotpDisabled, TotpEnabled
from scaicms.features.auth.notices import tell
from scaicms.features.auth.second_factor import SecondFactor, new_recovery_codes, recovery_digest
from scaicms.features.auth.service import AuthService
from scaicms.infra import db
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit.principal import Principal

ISSUER = "scaiCMS"


@dataclass(frozen=True, slots=True)
class Begun:
    """What an authenticator needs; `uri` is for a QR code (Key URI format)."""

    secret: str
    uri: str


class TotpService(Service):
    """One's own second factor."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._auth = services.get(AuthService)
        self._factor = services.get(SecondFactor)

    async def begin(self, principal: Principal, password: str | None, *, ip: str) -> Begun:
        """A fresh secret, without effect until a code of it is shown. A stolen token alone must not lock the owner out.

        Raises:
            FreshAuthenticationError: see `AuthService.authenticate_freshly`.
        """
        user = await self._auth.authenticate_freshly(principal, password, ip=ip)
        secret = pyotp.random_base32()
        async with db.transaction():
            await repository.lock_user(user.id)
            if await repository.confirmed_totp(user.id) is not None:
                raise TotpActiveError
            await repository.begin_totp(user.id, self._factor.seal(user.id, secret))
        return Begun(secret, pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER))

    async def confirm(self, principal: Principal, otp: str) -> list[str]:
        """Turn it on; the recovery codes, shown this once. Every other session ends: none of them showed a code."""
        user = await self._auth.profile(principal)
        codes = new_recovery_codes()
        async with db.transaction():
            await repository.lock_user(user.id)
            totp = await repository.find_totp(user.id)
            if totp is None:
                raise TotpNotActiveError
            if totp.confirmed_at is not None:
                raise TotpActiveError
            step = self._factor.step_of(user.id, totp.sealed_secret, otp)
            if step is None:
                raise BadOtpError
            await repository.confirm_totp(user.id, step, [recovery_digest(code) for code in codes])
            await sessions.revoke_others(user.id, principal.session_id)
            await record(TotpEnabled(site_id=None, aggregate_id=user.id), actor=principal)
            await tell(user.id, "totp_enabled")
        return codes

    async def disable(self, principal: Principal, password: str | None, *, ip: str) -> None:
        """Turn it off; raises as `begin`."""
        user = await self._auth.authenticate_freshly(principal, password, ip=ip)
        async with db.transaction():
            await repository.lock_user(user.id)
            if not await repository.remove_totp(user.id):
                raise TotpNotActiveError
            await record(TotpDisabled(site_id=None, aggregate_id=user.id), actor=principal)
            await tell(user.id, "totp_disabled")

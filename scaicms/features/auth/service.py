"""Use cases of logging in."""

from typing import Literal
from uuid import UUID

from scaicms.features.auth import repository, sessions
from scaicms.features.auth.authenticator import Authenticator
from scaicms.features.auth.errors import (
    BadCredentialsError,
    BadOtpError,
    BadTokenError,
    FreshAuthenticationError,
    SessionNotFoundError,
)
from scaicms.features.auth.events import NOBODY, LoginFailed, PasswordChanged, ProfileUpdated
from scaicms.features.auth.limits import LoginLimits
from scaicms.features.auth.models import SessionRow
from scaicms.features.auth.notices import tell
from scaicms.features.auth.schemas import ChangePassword, UpdateProfile
from scaicms.features.auth.second_factor import SecondFactor
from scaicms.features.auth.sessions import Entered, Origin
from scaicms.features.roles.service import RoleService
from scaicms.features.users.models import UserRow
from scaicms.features.users.service import UserService
from scaicms.infra import db
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.crypto import digest
from scaicms.kit.emails import normalise_email
from scaicms.kit.errors import UnauthorizedError
from scaicms.kit.passwords import hash_password, needs_rehash, verify_password
from scaicms.kit.principal import ANONYMOUS, Principal

FRESH_SECONDS = 600

__all__ = ["AuthService", "Authenticator", "Entered"]


class AuthService(Service):
    """Logging in and out, and what people may do about themselves."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._users = services.get(UserService)
        self._roles = services.get(RoleService)
        self._factor = services.get(SecondFactor)
        self._limits = services.get(LoginLimits)

    async def login(self, email: str, password: str, *, otp: str | None = None, ip: str, user_agent: str) -> Entered:
        """Exchange a password, and a code where one is needed, for tokens.

        Known and unknown addresses answer alike, in words and in time.
        """
        try:
            address = normalise_email(email)
        except ValueError:
            address = ""
        is_known = await self._limits.count(address, ip)
        failures = await self._limits.delay(address, ip)
        user = await self._users.by_email(address)
        matches = await verify_password(user.password_hash if user is not None else None, password)
        if user is None or not matches or not user.is_active:
            await self._failed(address, ip, user, "password")
            raise BadCredentialsError
        try:
            entered = await self._open(user, password, otp, Origin(ip, user_agent))
        except BadOtpError:
            await self._failed(address, ip, user, "second_factor")
            raise
        if failures or not is_known:
            await self._limits.succeeded(address, ip)
        return entered

    async def _failed(
        self, address: str, ip: str, user: UserRow | None, reason: Literal["password", "second_factor"]
    ) -> None:
        """Counted against caller and account, and written down: for nobody too, so that it takes as long."""
        await self._limits.failed(address, ip)
        async with db.transaction():
            fact = LoginFailed(site_id=None, aggregate_id=NOBODY if user is None else user.id, reason=reason)
            await record(fact, actor=ANONYMOUS)

    async def _open(self, user: UserRow, password: str, otp: str | None, origin: Origin) -> Entered:
        rehashed = await hash_password(password) if needs_rehash(user.password_hash) else None
        async with db.transaction():
            # What was true before the lock may have ended meanwhile: a reset or a suspension ends sessions that
            # are there, and must not be overtaken by one that is about to be.
            if not await repository.hold_unchanged(user):
                raise BadCredentialsError
            await self._factor.require(user.id, otp, ip=origin.ip)
            if rehashed is not None:
                await repository.store_rehash(user.id, rehashed)
            return await sessions.open_session(self.resources.settings, user, origin, method="password")

    async def refresh(self, refresh_token: str) -> Entered:
        """A new pair for an unused refresh token; a used one ends the session it belongs to."""
        presented = digest(refresh_token)
        async with db.transaction():
            token = await repository.lock_refresh_token(presented)
            session = await repository.active_session(token.session_id) if token is not None else None
            if token is None or session is None or session.expires_at <= utcnow():
                raise BadTokenError
            reused = token.used_at is not None
            user = await self._users.by_id(session.user_id)
            if reused:
                await sessions.revoke(session.id, session.user_id, "refresh_token_reused", ANONYMOUS)
            elif user is not None and user.is_active:
                return await sessions.renew(self.resources.settings, user, session.id, presented)
        raise BadTokenError

    async def logout(self, principal: Principal) -> None:
        """End the session of the token that was sent, at once and in every process."""
        if principal.kind != "user" or principal.session_id is None or principal.id is None:
            raise UnauthorizedError("Only a session can log out; revoke API keys at /api-keys.", code="no_session")
        async with db.transaction():
            await sessions.revoke(principal.session_id, principal.id, "logout", principal)

    async def profile(self, principal: Principal) -> UserRow:
        user = await self._users.by_id(principal.id) if principal.kind == "user" and principal.id else None
        if user is None:
            raise UnauthorizedError("Only a user who is logged in has a profile.", code="no_session")
        return user

    async def has_second_factor(self, principal: Principal) -> bool:
        """Whether the caller's logins take a code."""
        return await repository.confirmed_totp((await self.profile(principal)).id) is not None

    async def roles(self, principal: Principal) -> list[tuple[str, UUID | None]]:
        """The caller's own roles."""
        user = await self.profile(principal)
        return await self._roles.all_assignments(user.id)

    async def update_profile(self, principal: Principal, change: UpdateProfile) -> UserRow:
        user = await self.profile(principal)
        async with db.transaction():
            user.name = change.name
            user.updated_at = utcnow()
            await user.save(update_fields=["name", "updated_at"])
            await record(ProfileUpdated(site_id=None, aggregate_id=user.id), actor=principal)
        return user

    async def check_password(self, principal: Principal, password: str, *, ip: str) -> UserRow:
        """The caller, who proves to be more than somebody with their token.

        Raises:
            BadCredentialsError: it is not the password; counted and delayed as in a login.
        """
        user = await self.profile(principal)
        await self._limits.count(user.email, ip)
        await self._limits.delay(user.email, ip)
        if not await verify_password(user.password_hash, password):
            await self._failed(user.email, ip, user, "password")
            raise BadCredentialsError
        return user

    async def authenticate_freshly(self, principal: Principal, password: str | None, *, ip: str) -> UserRow:
        """The caller, by their password, or by a login through a provider in the last 10 minutes.

        Raises:
            BadCredentialsError: as `check_password`.
            FreshAuthenticationError: there is no password, and no such login.
        """
        if password is not None:
            return await self.check_password(principal, password, ip=ip)
        user, session_id = await self.profile(principal), principal.session_id
        if session_id is None or not await repository.is_fresh_provider_login(session_id, FRESH_SECONDS):
            raise FreshAuthenticationError
        return user

    async def change_password(self, principal: Principal, change: ChangePassword, *, ip: str) -> None:
        """Set a new password; every other session ends."""
        user = await self.check_password(principal, change.current_password, ip=ip)
        password_hash = await hash_password(change.new_password)
        async with db.transaction():
            if not await repository.hold_unchanged(user):
                raise BadCredentialsError
            await repository.store_password(user.id, password_hash)
            await sessions.revoke_others(user.id, principal.session_id)
            await record(PasswordChanged(site_id=None, aggregate_id=user.id), actor=principal)
            await tell(user.id, "password_changed")

    async def list_sessions(self, principal: Principal) -> list[SessionRow]:
        """One's sessions that can still be used, newest first."""
        return await repository.sessions_of((await self.profile(principal)).id)

    async def end_session(self, principal: Principal, session_id: UUID) -> None:
        user = await self.profile(principal)
        async with db.transaction():
            session = await repository.active_session(session_id)
            if session is None or session.user_id != user.id:
                raise SessionNotFoundError
            await sessions.revoke(session.id, user.id, "logout", principal)

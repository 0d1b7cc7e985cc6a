"""Use cases of logging in."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from scaicms.features.auth import repository, tokens
from scaicms.features.auth.authenticator import Authenticator
from scaicms.features.auth.errors import BadCredentialsError, BadTokenError, SessionNotFoundError
from scaicms.features.auth.events import LoggedIn, SessionRevoked
from scaicms.features.auth.limits import LoginLimits
from scaicms.features.auth.models import RefreshTokenRow, SessionRow
from scaicms.features.auth.schemas import ChangePassword, UpdateProfile
from scaicms.features.roles.service import AUTHORITY, RoleService
from scaicms.features.users.models import UserRow
from scaicms.features.users.service import UserService
from scaicms.infra import db
from scaicms.infra.db.notices import notify
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.emails import normalise_email
from scaicms.kit.errors import UnauthorizedError
from scaicms.kit.ids import new_id
from scaicms.kit.passwords import hash_password, verify_password
from scaicms.kit.principal import ANONYMOUS, Principal

__all__ = ["AuthService", "Authenticator"]

REFRESH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Entered:
    """A pair of tokens for a user; lifetimes in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int
    refresh_expires_in: int
    user: UserRow


class AuthService(Service):
    """Logging in and out, and what people may do about themselves."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._users = services.get(UserService)
        self._roles = services.get(RoleService)
        self._limits = LoginLimits(services.resources.redis)

    async def login(self, email: str, password: str, *, ip: str, user_agent: str) -> Entered:
        """Exchange a password for tokens. Known and unknown addresses answer alike, in words and in time."""
        try:
            address = normalise_email(email)
        except ValueError:
            address = ""
        await self._limits.count(address, ip)
        user = await self._users.by_email(address) if address else None
        matches = await verify_password(user.password_hash if user is not None else None, password)
        if user is None or not matches or not user.is_active:
            raise BadCredentialsError
        now = utcnow()
        session = SessionRow(
            id=new_id(),
            user_id=user.id,
            created_at=now,
            last_used_at=now,
            expires_at=now + timedelta(seconds=self.resources.settings.refresh_token_seconds),
            ip=ip[:64],
            user_agent=user_agent[:300],
        )
        async with db.transaction():
            await session.save(force_create=True)
            await repository.touch(session.id, user.id)
            await record(LoggedIn(site_id=None, aggregate_id=user.id), actor=ANONYMOUS)
            return await self._enter(user, session.id)

    async def refresh(self, refresh_token: str) -> Entered:
        """A new pair for an unused refresh token; a used one ends the session it belongs to."""
        digest = _digest(refresh_token)
        async with db.transaction():
            token = await repository.lock_refresh_token(digest)
            session = await repository.active_session(token.session_id) if token is not None else None
            if token is None or session is None or session.expires_at <= utcnow():
                raise BadTokenError
            reused = token.used_at is not None
            user = await self._users.by_id(session.user_id)
            if reused:
                await self._revoke(session.id, session.user_id, "refresh_token_reused", ANONYMOUS)
            elif user is not None and user.is_active:
                await repository.use_refresh_token(digest)
                await repository.touch(session.id, user.id)
                return await self._enter(user, session.id)
        raise BadTokenError

    async def logout(self, principal: Principal) -> None:
        """End the session of the token that was sent, at once and in every process."""
        if principal.kind != "user" or principal.session_id is None or principal.id is None:
            raise UnauthorizedError("Only a session can log out; revoke API keys at /api-keys.", code="no_session")
        async with db.transaction():
            await self._revoke(principal.session_id, principal.id, "logout", principal)

    async def profile(self, principal: Principal) -> UserRow:
        user = await self._users.by_id(principal.id) if principal.kind == "user" and principal.id else None
        if user is None:
            raise UnauthorizedError("Only a user who is logged in has a profile.", code="no_session")
        return user

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
        return user

    async def change_password(self, principal: Principal, change: ChangePassword, *, ip: str) -> None:
        """Set a new password; every other session ends."""
        user = await self.profile(principal)
        await self._limits.count(user.email, ip)
        if not await verify_password(user.password_hash, change.current_password):
            raise BadCredentialsError
        user.password_hash = await hash_password(change.new_password)
        user.updated_at = utcnow()
        async with db.transaction():
            await user.save(update_fields=["password_hash", "updated_at"])
            await repository.revoke_others(user.id, principal.session_id)
            await notify(AUTHORITY, str(user.id))

    async def sessions(self, principal: Principal) -> list[SessionRow]:
        return await repository.sessions_of((await self.profile(principal)).id)

    async def end_session(self, principal: Principal, session_id: UUID) -> None:
        user = await self.profile(principal)
        async with db.transaction():
            session = await repository.active_session(session_id)
            if session is None or session.user_id != user.id:
                raise SessionNotFoundError
            await self._revoke(session.id, user.id, "logout", principal)

    async def _enter(self, user: UserRow, session_id: UUID) -> Entered:
        settings = self.resources.settings
        refresh_token = secrets.token_urlsafe(REFRESH_BYTES)
        row = RefreshTokenRow(digest=_digest(refresh_token), session_id=session_id, created_at=utcnow())
        await row.save(force_create=True)
        access_token = tokens.issue(
            settings.secret.get_secret_value(),
            user_id=user.id,
            session_id=session_id,
            seconds=settings.access_token_seconds,
        )
        return Entered(access_token, refresh_token, settings.access_token_seconds, settings.refresh_token_seconds, user)

    @staticmethod
    async def _revoke(session_id: UUID, user_id: UUID, reason: str, actor: Principal) -> None:
        await repository.revoke(session_id)
        await record(SessionRevoked(site_id=None, aggregate_id=user_id, reason=reason), actor=actor)
        await notify(AUTHORITY, str(session_id))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

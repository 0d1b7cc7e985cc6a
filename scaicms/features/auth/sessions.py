"""Sessions: opened by whatever proves who somebody is, renewed by refresh tokens, ended at once."""

import secrets
from dataclasses import dataclass
from uuid import UUID

from scaicms.features.auth import repository, tokens
from scaicms.features.auth.events import LoggedIn, SessionRevoked
from scaicms.features.roles.service import AUTHORITY
from scaicms.features.users.models import UserRow
from scaicms.infra.db.notices import notify
from scaicms.infra.events import record
from scaicms.kit.crypto import digest
from scaicms.kit.ids import new_id
from scaicms.kit.principal import ANONYMOUS, Principal
from scaicms.settings import Settings

REFRESH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a login comes from, as the session list shows it."""

    ip: str
    user_agent: str

    def __post_init__(self) -> None:
        # Headers are bytes: what is not UTF-8 arrives as lone surrogates, which nothing can store.
        agent = self.user_agent.encode("utf-8", "replace").decode()[:300]
        object.__setattr__(self, "user_agent", agent)
        object.__setattr__(self, "ip", self.ip[:64])


@dataclass(frozen=True, slots=True)
class Entered:
    """A pair of tokens for a user; lifetimes in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int
    refresh_expires_in: int
    user: UserRow


async def open_session(settings: Settings, user: UserRow, origin: Origin, *, method: str) -> Entered:
    """A new session. Needs an open transaction that holds the user's row."""
    session_id = new_id()
    entered = _entered(settings, user, session_id)
    refresh_digest, seconds = digest(entered.refresh_token), settings.refresh_token_seconds
    await repository.open_session(session_id, user.id, seconds, refresh_digest, origin.ip, origin.user_agent, method)
    await record(LoggedIn(site_id=None, aggregate_id=user.id, method=method), actor=ANONYMOUS)
    return entered


async def renew(settings: Settings, user: UserRow, session_id: UUID, used_digest: str) -> Entered:
    """The next pair of a session, in place of the refresh token with this digest."""
    entered = _entered(settings, user, session_id)
    refresh_digest, seconds = digest(entered.refresh_token), settings.refresh_token_seconds
    await repository.renew_session(session_id, user.id, seconds, refresh_digest, used_digest)
    return entered


async def revoke(session_id: UUID, user_id: UUID, reason: str, actor: Principal) -> None:
    """End a session at once, in every process. Needs an open transaction."""
    await repository.revoke(session_id)
    await record(SessionRevoked(site_id=None, aggregate_id=user_id, reason=reason), actor=actor)
    await notify(AUTHORITY, str(session_id))


async def revoke_others(user_id: UUID, keep: UUID | None) -> None:
    """End all sessions of a user but one, at once. Needs an open transaction."""
    await repository.revoke_others(user_id, keep)
    await notify(AUTHORITY, str(user_id))


def _entered(settings: Settings, user: UserRow, session_id: UUID) -> Entered:
    access_token = tokens.issue(
        settings.secret.get_secret_value(),
        user_id=user.id,
        session_id=session_id,
        seconds=settings.access_token_seconds,
    )
    refresh_token = secrets.token_urlsafe(REFRESH_BYTES)
    return Entered(access_token, refresh_token, settings.access_token_seconds, settings.refresh_token_seconds, user)

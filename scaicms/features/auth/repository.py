"""Every query on sessions."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from scaicms.features.auth.models import IdentityRow, PasswordResetRow, RefreshTokenRow, SessionRow, TotpRow
from scaicms.features.users.models import UserRow
from scaicms.infra import db
from scaicms.kit.clock import utcnow
from scaicms.kit.networks import rate_networks

MAX_SESSIONS = 200


async def active_session(session_id: UUID) -> SessionRow | None:
    return await SessionRow.filter(id=session_id, revoked_at__isnull=True).first()


async def lock_refresh_token(digest: str) -> RefreshTokenRow | None:
    return await RefreshTokenRow.filter(digest=digest).select_for_update().first()


async def sessions_of(user_id: UUID) -> list[SessionRow]:
    """The newest sessions that can still be used, at most `MAX_SESSIONS`."""
    usable = SessionRow.filter(user_id=user_id, revoked_at__isnull=True, expires_at__gt=utcnow())
    return await usable.order_by("-id").limit(MAX_SESSIONS)


async def is_fresh_provider_login(session_id: UUID, seconds: int) -> bool:
    """Whether the session began within so many seconds, by an OpenID provider."""
    sql = """SELECT EXISTS (SELECT 1 FROM sessions WHERE id = $1 AND revoked_at IS NULL AND starts_with(method, 'oidc:')
             AND created_at > now() - $2 * interval '1 second')"""
    return bool(await db.fetchval(sql, session_id, seconds))


async def revoke(session_id: UUID) -> int:
    """End a session; 0 when it had ended already."""
    return await db.execute("UPDATE sessions SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", session_id)


async def revoke_others(user_id: UUID, keep: UUID | None) -> None:
    await db.execute(
        "UPDATE sessions SET revoked_at = now() WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL",
        user_id,
        keep,
    )


_OPEN = """
WITH opened AS (
    INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, ip, user_agent, method)
    VALUES ($1, $2, now(), now(), now() + $3 * interval '1 second', $5, $6, $8)),
remembered AS (
    INSERT INTO login_networks (user_id, network, last_login_at) VALUES ($2, $7, now())
    ON CONFLICT (user_id, network) DO UPDATE SET last_login_at = now()),
given AS (INSERT INTO refresh_tokens (digest, session_id, created_at) VALUES ($4, $1, now()))
UPDATE users SET last_login_at = now() WHERE id = $2"""
_RENEW = """
WITH used AS (UPDATE refresh_tokens SET used_at = now() WHERE digest = $5),
kept AS (
    UPDATE sessions SET last_used_at = now(), expires_at = now() + $3 * interval '1 second' WHERE id = $1),
given AS (INSERT INTO refresh_tokens (digest, session_id, created_at) VALUES ($4, $1, now()))
UPDATE users SET last_login_at = now() WHERE id = $2"""


async def open_session(
    session_id: UUID, user_id: UUID, seconds: int, refresh_digest: str, ip: str, user_agent: str, method: str
) -> None:
    """A session whose refresh token is good for so many seconds from now."""
    network = rate_networks(ip)[0]
    await db.execute(_OPEN, session_id, user_id, seconds, refresh_digest, ip, user_agent, network, method)


async def renew_session(session_id: UUID, user_id: UUID, seconds: int, refresh_digest: str, used_digest: str) -> None:
    """The session was used: its next refresh token is good for so many seconds from now, the used one no more."""
    await db.execute(_RENEW, session_id, user_id, seconds, refresh_digest, used_digest)


async def has_logged_in_from(email: str, network: str) -> bool:
    """Whether the account of this address has logged in from the network in the last 90 days."""
    sql = """SELECT EXISTS (SELECT 1 FROM login_networks n JOIN users u ON u.id = n.user_id
             WHERE u.email = $1 AND n.network = $2)"""
    return bool(await db.fetchval(sql, email, network))


async def is_known_network(user_id: UUID, network: str) -> bool:
    """Whether the user has logged in from the network in the last 90 days."""
    sql = "SELECT EXISTS (SELECT 1 FROM login_networks WHERE user_id = $1 AND network = $2)"
    return bool(await db.fetchval(sql, user_id, network))


async def remember_network(user_id: UUID, network: str) -> None:
    """From now on the network counts as one that the user has logged in from."""
    await db.execute(
        """INSERT INTO login_networks (user_id, network, last_login_at) VALUES ($1, $2, now())
           ON CONFLICT (user_id, network) DO UPDATE SET last_login_at = now()""",
        user_id,
        network,
    )


async def lock_user(user_id: UUID) -> UserRow | None:
    """The user as committed; until this transaction ends nobody changes their password or suspends them."""
    return await UserRow.filter(id=user_id).select_for_update().first()


async def hold_unchanged(user: UserRow) -> bool:
    """Whether the user may still log in with the password that was checked; held until this transaction ends."""
    held = await db.fetchval(
        "SELECT true FROM users WHERE id = $1 AND password_hash = $2 AND is_active FOR UPDATE",
        user.id,
        user.password_hash,
    )
    return held is True


async def store_password(user_id: UUID, password_hash: str) -> None:
    await db.execute("UPDATE users SET password_hash = $2, updated_at = now() WHERE id = $1", user_id, password_hash)


async def store_rehash(user_id: UUID, password_hash: str) -> None:
    """The same password under today's parameters: nothing that anybody sees has changed."""
    await db.execute("UPDATE users SET password_hash = $2 WHERE id = $1", user_id, password_hash)


async def find_reset(reset_id: UUID, *, lock: bool = False) -> PasswordResetRow | None:
    query = PasswordResetRow.filter(id=reset_id)
    return await (query.select_for_update() if lock else query).first()


async def usable_reset(digest: str) -> PasswordResetRow | None:
    """The reset whose token has this digest, unless it was used or has expired."""
    row = await db.fetchrow(
        "SELECT id FROM password_resets WHERE digest = $1 AND used_at IS NULL AND expires_at > now()", digest
    )
    return await find_reset(row["id"]) if row is not None else None


async def open_reset(reset_id: UUID, user_id: UUID, digest: str, seconds: int) -> None:
    await db.execute(
        """UPDATE password_resets SET user_id = $2, digest = $3, expires_at = now() + $4 * interval '1 second'
           WHERE id = $1""",
        reset_id,
        user_id,
        digest,
        seconds,
    )


async def drop_reset(reset_id: UUID) -> None:
    await db.execute("DELETE FROM password_resets WHERE id = $1", reset_id)


async def use_resets(user_id: UUID) -> None:
    """None that was mailed to this user is good any longer."""
    await db.execute("UPDATE password_resets SET used_at = now() WHERE user_id = $1 AND used_at IS NULL", user_id)


async def find_totp(user_id: UUID) -> TotpRow | None:
    return await TotpRow.filter(user_id=user_id).first()


async def confirmed_totp(user_id: UUID) -> bytes | None:
    """The sealed secret of the second factor, if it is on."""
    sql = "SELECT sealed_secret FROM totp WHERE user_id = $1 AND confirmed_at IS NOT NULL"
    return cast(bytes | None, await db.fetchval(sql, user_id))


async def begin_totp(user_id: UUID, sealed_secret: bytes) -> None:
    await db.execute(
        """INSERT INTO totp (user_id, sealed_secret, last_step, created_at) VALUES ($1, $2, 0, now())
           ON CONFLICT (user_id) DO UPDATE SET sealed_secret = excluded.sealed_secret, created_at = now()""",
        user_id,
        sealed_secret,
    )


async def confirm_totp(user_id: UUID, step: int, recovery_digests: Sequence[str]) -> None:
    await db.execute("UPDATE totp SET confirmed_at = now(), last_step = $2 WHERE user_id = $1", user_id, step)
    await db.execute("DELETE FROM recovery_codes WHERE user_id = $1", user_id)
    await db.execute(
        "INSERT INTO recovery_codes (digest, user_id) SELECT unnest($2::text[]), $1", user_id, list(recovery_digests)
    )


async def remove_totp(user_id: UUID) -> bool:
    """False when there was none that is on."""
    await db.execute("DELETE FROM recovery_codes WHERE user_id = $1", user_id)
    return await db.execute("DELETE FROM totp WHERE user_id = $1 AND confirmed_at IS NOT NULL", user_id) == 1


async def use_step(user_id: UUID, step: int) -> bool:
    """Take a step's code; False when it or a newer one was taken before."""
    return await db.execute("UPDATE totp SET last_step = $2 WHERE user_id = $1 AND last_step < $2", user_id, step) == 1


async def use_recovery_code(user_id: UUID, digest: str) -> bool:
    """Take a recovery code; False when it is none or was taken before."""
    taken = await db.execute(
        "UPDATE recovery_codes SET used_at = now() WHERE digest = $2 AND user_id = $1 AND used_at IS NULL",
        user_id,
        digest,
    )
    return taken == 1


async def lock_identity(issuer: str, subject: str) -> None:
    """One login of somebody at a time, so that a first one makes one account."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"identity {issuer} {subject}")


async def find_identity(issuer: str, subject: str) -> IdentityRow | None:
    return await IdentityRow.filter(issuer=issuer, subject=subject).first()

"""Access tokens: JWT (RFC 7519), HS256, pinned on every side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt

from scaicms.kit.clock import unix_now
from scaicms.kit.ids import new_id, parse_id

ALGORITHM = "HS256"
ISSUER = "scaicms"
AUDIENCE = "scaicms-api"
REQUIRED = ["exp", "iat", "iss", "aud", "sub", "sid"]


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """Who and which login; `expires_at` in seconds of Unix time."""

    user_id: UUID
    session_id: UUID
    expires_at: float


def issue(secret: str, *, user_id: UUID, session_id: UUID, seconds: int) -> str:
    now = int(unix_now())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user_id),
        "sid": str(session_id),
        "iat": now,
        "exp": now + seconds,
        "jti": str(new_id()),
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read(secret: str, token: str, *, leeway: float = 0.0) -> AccessClaims | None:
    """The claims of a token of ours, or None for anything else, whatever is wrong with it.

    `leeway` (seconds) is how far `iat` and `nbf` may lie ahead. `exp` has none: every token would last longer.
    """
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            # The library compares times with the clock of this host; `is_current` does not.
            options={"require": REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.InvalidTokenError:
        return None
    if not is_current(claims, leeway=leeway):
        return None
    user_id, session_id = parse_id(str(claims["sub"])), parse_id(str(claims["sid"]))
    if user_id is None or session_id is None:
        return None
    return AccessClaims(user_id, session_id, float(claims["exp"]))


def is_current(claims: Mapping[str, Any], *, leeway: float) -> bool:
    """Whether signed claims hold now, by the time of the database: `exp` lies ahead, `iat` and `nbf` (where they are
    there) no further than `leeway` seconds."""
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in times.values()):
        return False
    now = unix_now()
    return times["exp"] > now and all(times.get(name, now) <= now + leeway for name in ("iat", "nbf"))

"""Access tokens: JWT (RFC 7519), HS256, pinned on every side."""

import time
from dataclasses import dataclass
from uuid import UUID

import jwt

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
    now = int(time.time())
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


def read(secret: str, token: str) -> AccessClaims | None:
    """The claims of a token of ours, or None for anything else, whatever is wrong with it."""
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": REQUIRED},
        )
    except jwt.InvalidTokenError:
        return None
    user_id, session_id = parse_id(str(claims["sub"])), parse_id(str(claims["sid"]))
    if user_id is None or session_id is None:
        return None
    return AccessClaims(user_id, session_id, float(claims["exp"]))

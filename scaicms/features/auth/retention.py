"""Retention of the tables of this feature.

A session outlives its last refresh token by a day, so that one who comes late is told apart from a stranger.
"""

from datetime import timedelta

from scaicms.infra.db.retention import Expiry, Retention, fixed

RETENTION = (
    Retention(
        "refresh_tokens",
        "each renewal of a session",
        950,
        "1 day after its session has expired",
        expiry=Expiry(
            "EXISTS (SELECT FROM sessions s WHERE s.id = t.session_id AND s.expires_at < now() - $1::interval)",
            fixed(timedelta(days=1)),
        ),
    ),
    Retention(
        "sessions",
        "each login",
        950,
        "1 day after it has expired (`SCAICMS_REFRESH_TOKEN_SECONDS`)",
        expiry=Expiry(
            """t.expires_at < now() - $1::interval
               AND NOT EXISTS (SELECT FROM refresh_tokens r WHERE r.session_id = t.id)""",
            fixed(timedelta(days=1)),
        ),
    ),
    Retention(
        "login_networks",
        "each user and network of a login",
        1300,
        "90 days without a login from there",
        expiry=Expiry("t.last_login_at < now() - $1::interval", fixed(timedelta(days=90))),
    ),
    Retention(
        "password_resets",
        "each request for a reset",
        0,
        "1 day, once it is used or has expired",
        expiry=Expiry(
            """t.created_at < now() - $1::interval
               AND (t.expires_at IS NULL OR t.expires_at < now() OR t.used_at IS NOT NULL)""",
            fixed(timedelta(days=1)),
        ),
    ),
    Retention(
        "totp",
        "each user with a second factor",
        0,
        "1 day unless it is confirmed; turning it off, or deleting the user",
        expiry=Expiry("t.confirmed_at IS NULL AND t.created_at < now() - $1::interval", fixed(timedelta(days=1))),
    ),
    Retention(
        "recovery_codes",
        "each of ten codes of a second factor",
        0,
        "turning it off, or deleting the user",
    ),
    Retention(
        "identities",
        "each user and OpenID provider",
        0,
        "deleting the user",
    ),
)

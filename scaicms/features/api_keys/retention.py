"""Retention of the tables of this feature."""

from datetime import timedelta

from scaicms.infra.db.retention import Expiry, Retention, days, fixed

RETENTION = (
    Retention(
        "api_keys",
        "each key",
        1600,
        "the time after it was revoked or expired",
        "SCAICMS_ENDED_KEY_DAYS",
        expiry=Expiry(
            "least(t.revoked_at, t.expires_at) < now() - $1::interval",
            days("ended_key_days"),
        ),
    ),
    Retention(
        "api_key_usage",
        "each key and hour of use",
        0,
        "25 hours, at the next use of the key; the key's end",
        expiry=Expiry("t.hour < now() - $1::interval", fixed(timedelta(hours=25))),
    ),
)

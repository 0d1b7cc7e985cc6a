"""Retention of the tables of this feature."""

from datetime import timedelta

from scaicms.infra.db.retention import Expiry, Retention, fixed

RETENTION = (
    Retention(
        "users",
        "each person",
        950,
        "deleting the user",
    ),
    Retention(
        "invitations",
        "each invited person",
        0,
        "1 day after it is accepted; deleting the user",
        expiry=Expiry("t.accepted_at < now() - $1::interval", fixed(timedelta(days=1))),
    ),
)

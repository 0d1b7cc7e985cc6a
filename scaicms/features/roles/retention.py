"""Retention of the tables of this feature."""

from scaicms.infra.db.retention import Retention

RETENTION = (
    Retention(
        "roles",
        "each role",
        0,
        "deleting the role",
    ),
    Retention(
        "role_grants",
        "each grant of a role",
        700,
        "a change of the role",
    ),
    Retention(
        "role_assignments",
        "each role of a user or group at a site",
        0,
        "taking the role away, or deleting the user or site",
    ),
)

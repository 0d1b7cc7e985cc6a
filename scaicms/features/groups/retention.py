"""Retention of the tables of this feature."""

from scaicms.infra.db.retention import Retention

RETENTION = (
    Retention(
        "groups",
        "each group",
        0,
        "deleting the group",
    ),
    Retention(
        "group_members",
        "each member of a group",
        0,
        "a change of the group, or deleting the user",
    ),
    Retention(
        "group_roles",
        "each role of a group",
        0,
        "a change of the group",
    ),
)

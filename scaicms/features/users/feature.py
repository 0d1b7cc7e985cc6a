"""Manifest."""

from scaicms.features.users import events, permissions
from scaicms.features.users.retention import RETENTION
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="users",
    models="scaicms.features.users.models",
    routes=(
        "scaicms.features.users.invitation_routes:routes",
        "scaicms.features.users.routes:routes",
        "scaicms.features.users.invitation_routes:accept_routes",
    ),
    events=events.ALL,
    tasks="scaicms.features.users.tasks:TASKS",
    permissions=permissions.ALL,
    subjects={"user": "scaicms.features.users.authority:user"},
    retention=RETENTION,
)

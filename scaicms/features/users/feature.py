"""Manifest."""

from scaicms.features.users import events, permissions
from scaicms.features.users.authority import user
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="users",
    models="scaicms.features.users.models",
    routes=("scaicms.features.users.routes:routes",),
    events=events.ALL,
    permissions=permissions.ALL,
    subjects={"user": user},
)

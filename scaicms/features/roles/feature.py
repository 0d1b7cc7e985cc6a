"""Manifest."""

from scaicms.features.roles import events, permissions
from scaicms.features.roles.retention import RETENTION
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="roles",
    models="scaicms.features.roles.models",
    routes=("scaicms.features.roles.routes:routes", "scaicms.features.roles.routes:user_routes"),
    events=events.ALL,
    permissions=permissions.ALL,
    bundle={"roles": "scaicms.features.roles.bundle:PART"},
    retention=RETENTION,
)

"""Manifest."""

from scaicms.features.assets import events, permissions
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="assets",
    models="scaicms.features.assets.models",
    routes=("scaicms.features.assets.routes:routes", "scaicms.features.assets.file_routes:routes"),
    events=events.ALL,
    tasks="scaicms.features.assets.tasks:TASKS",
    permissions=permissions.ALL,
)

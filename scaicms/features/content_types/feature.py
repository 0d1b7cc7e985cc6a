"""Manifest."""

from scaicms.features.content_types import events, permissions
from scaicms.features.content_types.retention import RETENTION
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="content_types",
    models="scaicms.features.content_types.models",
    routes=(
        "scaicms.features.content_types.bundle_routes:routes",
        "scaicms.features.content_types.plan_routes:routes",
        "scaicms.features.content_types.routes:routes",
    ),
    events=events.ALL,
    tasks="scaicms.features.content_types.tasks:TASKS",
    permissions=permissions.ALL,
    bundle={"content_types": "scaicms.features.content_types.bundle:PART"},
    retention=RETENTION,
)

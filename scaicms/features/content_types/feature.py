"""Manifest."""

from scaicms.features.content_types import events, permissions
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="content_types",
    models="scaicms.features.content_types.models",
    routes=("scaicms.features.content_types.routes:routes",),
    events=events.ALL,
    permissions=permissions.ALL,
)

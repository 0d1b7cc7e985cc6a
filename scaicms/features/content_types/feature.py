"""Manifest."""

from scaicms.features.content_types import events, permissions
from scaicms.features.content_types.routes import routes
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="content_types",
    models="scaicms.features.content_types.models",
    routes=(routes,),
    events=events.ALL,
    permissions=permissions.ALL,
)

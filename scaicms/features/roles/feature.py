"""Manifest."""

from scaicms.features.roles import events, permissions
from scaicms.features.roles.routes import routes, user_routes
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="roles",
    models="scaicms.features.roles.models",
    routes=(routes, user_routes),
    events=events.ALL,
    permissions=permissions.ALL,
)

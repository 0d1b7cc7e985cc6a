"""Manifest."""

from scaicms.features.taxonomies import events, permissions
from scaicms.features.taxonomies.routes import routes
from scaicms.features.taxonomies.term_routes import routes as term_routes
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="taxonomies",
    models="scaicms.features.taxonomies.models",
    routes=(routes, term_routes),
    events=events.ALL,
    permissions=permissions.ALL,
)

"""Manifest."""

from scaicms.features.taxonomies import events, permissions
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="taxonomies",
    models="scaicms.features.taxonomies.models",
    routes=("scaicms.features.taxonomies.routes:routes", "scaicms.features.taxonomies.term_routes:routes"),
    events=events.ALL,
    permissions=permissions.ALL,
    bundle={"taxonomies": "scaicms.features.taxonomies.bundle:PART"},
)

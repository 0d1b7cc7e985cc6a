"""Manifest."""

from scaicms.features.auth import events
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="auth",
    models="scaicms.features.auth.models",
    routes=("scaicms.features.auth.routes:routes",),
    events=events.ALL,
)

"""Manifest."""

from scaicms.features.auth import events
from scaicms.features.auth.routes import routes
from scaicms.web.feature import Feature

FEATURE = Feature(name="auth", models="scaicms.features.auth.models", routes=(routes,), events=events.ALL)

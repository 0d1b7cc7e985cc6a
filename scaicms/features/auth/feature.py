"""Manifest."""

from scaicms.features.auth import events
from scaicms.features.auth.retention import RETENTION
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="auth",
    models="scaicms.features.auth.models",
    routes=(
        "scaicms.features.auth.routes:routes",
        "scaicms.features.auth.reset_routes:routes",
        "scaicms.features.auth.totp_routes:routes",
        "scaicms.features.auth.oidc_routes:routes",
    ),
    events=events.ALL,
    tasks="scaicms.features.auth.tasks:TASKS",
    pages="scaicms.features.auth.pages:add_pages",
    retention=RETENTION,
)

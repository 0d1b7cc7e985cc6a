"""Manifest."""

from datetime import timedelta

from scaicms.features.auth import events
from scaicms.features.auth.jobs import PRUNE, PrunePayload
from scaicms.infra.jobs import Periodic
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
    periodic=(Periodic(PRUNE, PrunePayload(), timedelta(hours=1)),),
    pages="scaicms.features.auth.pages:add_pages",
)

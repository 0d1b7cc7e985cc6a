"""Manifest."""

from datetime import timedelta

from scaicms.features.auth import events
from scaicms.features.auth.jobs import PRUNE, PrunePayload
from scaicms.features.auth.oidc_routes import routes as oidc_routes
from scaicms.features.auth.pages import add_pages
from scaicms.features.auth.reset_routes import routes as reset_routes
from scaicms.features.auth.routes import routes
from scaicms.features.auth.tasks import TASKS
from scaicms.features.auth.totp_routes import routes as totp_routes
from scaicms.infra.jobs import Periodic
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="auth",
    models="scaicms.features.auth.models",
    routes=(routes, reset_routes, totp_routes, oidc_routes),
    events=events.ALL,
    tasks=TASKS,
    periodic=(Periodic(PRUNE, PrunePayload(), timedelta(hours=1)),),
    pages=add_pages,
)

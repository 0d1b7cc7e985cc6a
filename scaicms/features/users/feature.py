"""Manifest."""

from scaicms.features.users import events, permissions
from scaicms.features.users.invitation_routes import accept_routes
from scaicms.features.users.invitation_routes import routes as invitation_routes
from scaicms.features.users.routes import routes
from scaicms.features.users.tasks import TASKS
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="users",
    models="scaicms.features.users.models",
    routes=(invitation_routes, routes, accept_routes),
    events=events.ALL,
    tasks=TASKS,
    permissions=permissions.ALL,
)

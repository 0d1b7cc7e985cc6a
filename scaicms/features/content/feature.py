"""Manifest."""

from scaicms.features.content import events, permissions
from scaicms.features.content.authority import content
from scaicms.features.content.import_routes import routes as import_routes
from scaicms.features.content.routes import routes
from scaicms.features.content.tasks import TASKS
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="content",
    models="scaicms.features.content.models",
    routes=(import_routes, routes),
    events=events.ALL,
    tasks=TASKS,
    permissions=permissions.ALL,
    targets={"content": content},
)

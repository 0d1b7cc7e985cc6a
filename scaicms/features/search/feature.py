"""Manifest."""

from scaicms.features.search import permissions
from scaicms.features.search.routes import routes
from scaicms.features.search.subscribers import SUBSCRIBERS
from scaicms.features.search.tasks import TASKS
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="search",
    models="scaicms.infra.search.models",
    routes=(routes,),
    subscribers=SUBSCRIBERS,
    tasks=TASKS,
    permissions=permissions.ALL,
)

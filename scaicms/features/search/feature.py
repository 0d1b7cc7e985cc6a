"""Manifest."""

from datetime import timedelta

from scaicms.features.search import events, permissions
from scaicms.features.search.jobs import PRUNE_JOBS, PrunePayload
from scaicms.features.search.queue_routes import routes as queue_routes
from scaicms.features.search.routes import routes
from scaicms.features.search.subscribers import SUBSCRIBERS
from scaicms.features.search.tasks import TASKS
from scaicms.infra.jobs import Periodic
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="search",
    models="scaicms.infra.search.models",
    routes=(routes, queue_routes),
    events=events.ALL,
    subscribers=SUBSCRIBERS,
    tasks=TASKS,
    periodic=(Periodic(PRUNE_JOBS, PrunePayload(), timedelta(hours=1)),),
    permissions=permissions.ALL,
)

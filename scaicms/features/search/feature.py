"""Manifest."""

from datetime import timedelta

from scaicms.features.search import events, permissions
from scaicms.features.search.jobs import PRUNE_JOBS, PrunePayload
from scaicms.features.search.retention import RETENTION
from scaicms.features.search.subscribers import SUBSCRIBERS
from scaicms.infra.jobs import Periodic
from scaicms.infra.jobs.metrics import Figures
from scaicms.web.feature import Feature

SWEEPS = Figures(
    gauges={"sweep_age_seconds": ("scaicms_sweep_age_seconds", "Seconds since a worker last finished a sweep")},
    ask="scaicms.infra.jobs.stats:sweep_figures",
)

FEATURE = Feature(
    name="search",
    models="scaicms.infra.search.models",
    routes=("scaicms.features.search.routes:routes", "scaicms.features.search.queue_routes:routes"),
    events=events.ALL,
    subscribers=SUBSCRIBERS,
    tasks="scaicms.features.search.tasks:TASKS",
    periodic=(Periodic(PRUNE_JOBS, PrunePayload(), timedelta(hours=1)),),
    permissions=permissions.ALL,
    figures=(SWEEPS,),
    retention=RETENTION,
)

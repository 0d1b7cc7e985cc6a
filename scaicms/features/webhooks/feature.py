"""Manifest."""

from datetime import timedelta

from scaicms.features.webhooks import events, permissions
from scaicms.features.webhooks.jobs import PRUNE_DELIVERIES, PrunePayload
from scaicms.features.webhooks.retention import RETENTION
from scaicms.features.webhooks.subscribers import FANOUT
from scaicms.infra.jobs import Periodic
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="webhooks",
    models="scaicms.features.webhooks.models",
    routes=(
        # Before the paths with ids, which would take their names for one.
        "scaicms.features.webhooks.feed_routes:routes",
        "scaicms.features.webhooks.routes:routes",
        "scaicms.features.webhooks.delivery_routes:routes",
    ),
    events=events.ALL,
    fanout=FANOUT,
    tasks="scaicms.features.webhooks.tasks:TASKS",
    periodic=(Periodic(PRUNE_DELIVERIES, PrunePayload(), timedelta(hours=1)),),
    permissions=permissions.ALL,
    bundle={"webhooks": "scaicms.features.webhooks.bundle:PART"},
    retention=RETENTION,
)

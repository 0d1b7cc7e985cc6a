"""Manifest."""

from datetime import timedelta

from scaicms.features.audit import events, permissions
from scaicms.features.audit.jobs import CUT_AUDIT, SEAL_AUDIT, UpkeepPayload
from scaicms.infra.jobs import Periodic
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="audit",
    routes=("scaicms.features.audit.routes:routes",),
    events=events.ALL,
    tasks="scaicms.features.audit.tasks:TASKS",
    periodic=(
        Periodic(SEAL_AUDIT, UpkeepPayload(), timedelta(minutes=1)),
        Periodic(CUT_AUDIT, UpkeepPayload(), timedelta(hours=6)),
    ),
    permissions=permissions.ALL,
)

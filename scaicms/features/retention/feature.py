"""Manifest."""

from datetime import timedelta

from scaicms.features.retention.jobs import REMOVE_EXPIRED, RemovePayload
from scaicms.infra.jobs import Periodic
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="retention",
    tasks="scaicms.features.retention.tasks:TASKS",
    periodic=(Periodic(REMOVE_EXPIRED, RemovePayload(), timedelta(hours=1)),),
)

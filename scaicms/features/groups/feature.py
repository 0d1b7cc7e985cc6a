"""Manifest."""

from scaicms.features.groups import events, permissions
from scaicms.features.groups.retention import RETENTION
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="groups",
    models="scaicms.features.groups.models",
    routes=("scaicms.features.groups.routes:routes",),
    events=events.ALL,
    permissions=permissions.ALL,
    retention=RETENTION,
)

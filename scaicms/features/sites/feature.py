"""Manifest."""

from scaicms.features.sites import events, permissions
from scaicms.features.sites.retention import RETENTION
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="sites",
    models="scaicms.features.sites.models",
    routes=("scaicms.features.sites.routes:routes",),
    events=events.ALL,
    permissions=permissions.ALL,
    subjects={"anonymous": "scaicms.features.sites.authority:anonymous"},
    retention=RETENTION,
)

"""Manifest."""

from scaicms.features.api_keys import events, permissions
from scaicms.features.api_keys.retention import RETENTION
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="api_keys",
    models="scaicms.features.api_keys.models",
    routes=("scaicms.features.api_keys.routes:routes",),
    events=events.ALL,
    permissions=permissions.ALL,
    subjects={"api_key": "scaicms.features.api_keys.authority:api_key"},
    retention=RETENTION,
)

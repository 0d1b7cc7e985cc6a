"""Manifest."""

from scaicms.features.content import events, permissions
from scaicms.features.content.subscribers import SUBSCRIBERS
from scaicms.features.content.tasks import TASKS
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="content",
    models="scaicms.features.content.models",
    routes=(
        "scaicms.features.content.import_routes:routes",
        "scaicms.features.content.routes:routes",
        "scaicms.features.content.term_routes:routes",
    ),
    events=events.ALL,
    subscribers=SUBSCRIBERS,
    tasks=TASKS,
    permissions=permissions.ALL,
    targets={"content": "scaicms.features.content.authority:content"},
)

"""Manifest."""

from scaicms.features.content import events, permissions
from scaicms.features.content.subscribers import SUBSCRIBERS
from scaicms.infra.db.typed_rows import TypedRows
from scaicms.web.feature import Feature

# What a change of a content type rewrites.
TYPED_ROWS = (
    TypedRows(
        name="draft",
        table="entries",
        key_type="uuid",
        belongs="r.item_id IN (SELECT id FROM items WHERE type_id = $1)",
        private=True,
        references="content_references",
        keyed=("stamps", "published_stamps"),
    ),
    TypedRows(
        name="document",
        table="documents",
        key_type="bigint",
        belongs="r.type_id = $1",
        private=False,
        rendered=True,
        indexed="type_id = '{type_id}'",
    ),
)

FEATURE = Feature(
    name="content",
    models="scaicms.features.content.models",
    routes=(
        "scaicms.features.content.import_routes:routes",
        "scaicms.features.content.schedule_routes:routes",
        "scaicms.features.content.release_routes:routes",
        "scaicms.features.content.routes:routes",
        "scaicms.features.content.term_routes:routes",
        "scaicms.features.content.translation_routes:routes",
    ),
    events=events.ALL,
    subscribers=SUBSCRIBERS,
    tasks="scaicms.features.content.tasks:TASKS",
    permissions=permissions.ALL,
    targets={"content": "scaicms.features.content.authority:content"},
    typed_rows=TYPED_ROWS,
)

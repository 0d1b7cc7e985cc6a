"""Manifest."""

from datetime import timedelta

from scaicms.features.content import events, permissions
from scaicms.features.content.jobs import COMPACT_HISTORY, EMPTY_TRASH, CompactPayload, EmptyTrashPayload
from scaicms.features.content.retention import RETENTION
from scaicms.features.content.subscribers import SUBSCRIBERS
from scaicms.infra.db.locale_rows import LocaleRows
from scaicms.infra.db.typed_rows import TypedRows
from scaicms.infra.jobs import Periodic
from scaicms.infra.jobs.metrics import Figures
from scaicms.infra.storage.sweep import StoredFiles
from scaicms.web.feature import Feature

# After a plan has made a field shared: a draft that was what is published and is not any more is a new version of it,
# and the newest revision is the draft.
_IN_STEP = (
    """UPDATE entries e SET version = e.version + 1
       FROM content_type_plan_rows s, documents d
       WHERE s.plan_id = $1 AND s.store = 'draft' AND e.id = s.key::uuid AND e.published_version = e.version
         AND d.item_id = e.item_id AND d.locale = e.locale
         AND EXISTS (SELECT 1 FROM unnest($2::text[]) k(key) WHERE e.data->k.key IS DISTINCT FROM d.data->k.key)""",
    """UPDATE revisions v SET data = e.data
       FROM content_type_plan_rows s JOIN entries e ON e.id = s.key::uuid
       WHERE s.plan_id = $1 AND s.store = 'draft' AND s.after IS NOT NULL AND $2::text[] IS NOT NULL
         AND v.item_id = e.item_id AND v.locale = e.locale AND v.number = e.version AND v.data <> e.data""",
)
_VERSION_OF = (
    "EXISTS (SELECT 1 FROM entries e WHERE e.item_id = {{row}}.item_id AND e.locale = {{row}}.locale"
    " AND e.{column} = {{row}}.number)"
)

_READS = "scaicms.features.content.access:reads_fields"

# What a change of a content type rewrites.
TYPED_ROWS = (
    TypedRows(
        name="draft",
        table="entries",
        key_type="uuid",
        belongs="r.item_id IN (SELECT id FROM items WHERE type_id = $1)",
        private=True,
        reads=_READS,
        references="content_references",
        keyed=("stamps", "published_stamps"),
        settle=_IN_STEP,
    ),
    TypedRows(
        name="document",
        table="documents",
        key_type="bigint",
        belongs="r.type_id = $1",
        private=False,
        reads=_READS,
        rendered=True,
        indexed="type_id = '{type_id}'",
    ),
    TypedRows(
        name="revision",
        table="revisions",
        key_type="bigint",
        belongs="r.type_id = $1",
        private=True,
        reads=_READS,
        past=True,
        states={
            "published": _VERSION_OF.format(column="published_version"),
            "draft": _VERSION_OF.format(column="version"),
        },
    ),
    TypedRows(
        name="past document",
        table="document_history",
        key_type="bigint",
        belongs="r.type_id = $1",
        private=False,
        reads=_READS,
        rendered=True,
        past=True,
        states={"now": "{row}.valid_to = 'infinity'"},
    ),
)

DUE = Figures(
    gauges={
        "due": ("scaicms_schedule_due", "Publications, unpublications and releases that are due and not done yet"),
        "oldest_due_seconds": ("scaicms_schedule_oldest_due_seconds", "Age of the one that has been due longest"),
    },
    ask="scaicms.features.content.schedule_repository:due_figures",
)

# Whoever writes items holds their type; a locale that is new to an item is looked for at the site when it is stored.
TRANSLATIONS = LocaleRows(
    hold="""SELECT pg_advisory_xact_lock(content_type_lock(t.id))
            FROM (SELECT id FROM content_types WHERE site_id = $1 ORDER BY id) t""",
    used="""SELECT e.locale, k.what, count(*) AS number
            FROM items i JOIN entries e ON e.item_id = i.id
            CROSS JOIN LATERAL (
                SELECT CASE WHEN i.deleted_at IS NULL THEN 'drafts' ELSE 'trash' END AS what
                UNION ALL SELECT 'documents' FROM documents d WHERE d.item_id = i.id AND d.locale = e.locale) k
            WHERE i.site_id = $1 AND e.locale = ANY($2) GROUP BY e.locale, k.what""",
    advice={
        "drafts": "{number} items have a draft in {locale}; GET /content/export?locale={locale} lists them. Take each"
        " away, DELETE /content/{{id}}/translations/{locale}, or the item where it has no other locale.",
        "documents": "{number} of them are published in {locale}; deleting the translation unpublishes it.",
        "trash": "{number} items in the trash have a draft in {locale}; GET /content/trash lists them. Restore and"
        " delete them for good, or wait until the trash is emptied.",
    },
    lacking="""SELECT count(*) FROM items i WHERE i.site_id = $1 AND i.deleted_at IS NULL AND (
                   NOT EXISTS (SELECT 1 FROM entries e WHERE e.item_id = i.id AND e.locale = $2)
                   OR EXISTS (SELECT 1 FROM documents d WHERE d.item_id = i.id)
                      AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.item_id = i.id AND d.locale = $2))""",
)

FEATURE = Feature(
    name="content",
    models="scaicms.features.content.models",
    routes=(
        "scaicms.features.content.asset_routes:routes",
        "scaicms.features.content.bulk_routes:routes",
        "scaicms.features.content.export_routes:routes",
        "scaicms.features.content.hold_routes:routes",
        "scaicms.features.content.import_routes:routes",
        "scaicms.features.content.schedule_routes:routes",
        "scaicms.features.content.release_routes:routes",
        "scaicms.features.content.lifecycle_routes:routes",
        "scaicms.features.content.preview_routes:routes",
        "scaicms.features.content.routes:routes",
        "scaicms.features.content.revision_routes:routes",
        "scaicms.features.content.term_routes:routes",
        "scaicms.features.content.translation_routes:routes",
        "scaicms.features.content.usage_routes:routes",
    ),
    events=events.ALL,
    subscribers=SUBSCRIBERS,
    tasks="scaicms.features.content.tasks:TASKS",
    periodic=(
        Periodic(COMPACT_HISTORY, CompactPayload(), timedelta(days=1)),
        Periodic(EMPTY_TRASH, EmptyTrashPayload(), timedelta(hours=1)),
    ),
    permissions=permissions.ALL,
    targets={"content": "scaicms.features.content.authority:content"},
    typed_rows=TYPED_ROWS,
    stored_files=(StoredFiles("imports", "imports/", "scaicms.features.content.import_sources:uploads_in_use"),),
    figures=(DUE,),
    locale_rows=(TRANSLATIONS,),
    retention=RETENTION,
    legal_holds=("SELECT item_id FROM content_holds",),
)

"""Retention of the tables of this feature."""

from scaicms.infra.db.retention import Expiry, Retention, days

RETENTION = (
    Retention(
        "items",
        "each item",
        730,
        "deleting it for good; the job `content.empty_trash`",
        "SCAICMS_TRASH_DAYS",
    ),
    Retention(
        "entries",
        "each item and locale",
        2800,
        "the item's end, or removing the translation",
    ),
    Retention(
        "documents",
        "each published item and locale",
        9300,
        "unpublishing",
    ),
    Retention(
        "content_references",
        "each relation of a draft",
        930,
        "a save without it; the item's end",
    ),
    Retention(
        "document_links",
        "each relation of a document",
        830,
        "unpublishing",
    ),
    Retention(
        "document_counts",
        "each publication, until rows are summed up",
        550,
        "one in fifty publications sums up the rows of its type",
    ),
    Retention(
        "import_sources",
        "each imported file or record",
        740,
        "the item's end",
    ),
    Retention(
        "revisions",
        "each saved version",
        1700,
        "the job `content.compact_history` after the days, but the last of each day (UTC); the item's end; none "
        "of items on legal hold",
        "SCAICMS_HISTORY_DAYS",
    ),
    Retention(
        "document_history",
        "each published version",
        5300,
        "as `revisions`",
        "SCAICMS_HISTORY_DAYS",
    ),
    Retention(
        "document_term_history",
        "each change of a document's terms",
        1300,
        "as `revisions`",
        "SCAICMS_HISTORY_DAYS",
    ),
    Retention(
        "content_holds",
        "each item on legal hold",
        0,
        "releasing the hold",
    ),
    Retention(
        "content_schedule",
        "each scheduled action",
        920,
        "the days after it was done, has failed or was cancelled; none of items on legal hold",
        "SCAICMS_SCHEDULE_DAYS",
        expiry=Expiry(
            """t.state <> 'pending' AND coalesce(t.done_at, t.created_at) < now() - $1::interval
               AND t.item_id NOT IN ({held})
               AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = t.job_id)""",
            days("schedule_days"),
        ),
    ),
    Retention(
        "content_releases",
        "each release",
        0,
        "deleting the release",
    ),
    Retention(
        "content_release_items",
        "each item of a release",
        0,
        "a change of the release, or the item's end",
    ),
)

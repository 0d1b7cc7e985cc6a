"""Retention of the tables of this feature."""

from datetime import timedelta

from scaicms.infra.db.retention import Expiry, Retention, fixed

RETENTION = (
    Retention(
        "content_types",
        "each content type",
        0,
        "deleting the type",
    ),
    Retention(
        "content_type_versions",
        "each applied change of a type",
        0,
        "deleting the type",
    ),
    Retention(
        "content_type_plans",
        "each plan of a change",
        0,
        "7 days unless it was applied; deleting the type",
        expiry=Expiry(
            """t.state IN ('planned', 'failed') AND t.created_at < now() - $1::interval
               AND NOT EXISTS (SELECT FROM content_type_plan_rows r WHERE r.plan_id = t.id)
               AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = t.job_id AND j.state = 'pending')""",
            fixed(timedelta(days=7)),
        ),
    ),
    Retention(
        "content_type_plan_rows",
        "each value that the last plan of a type has changed",
        0,
        "the next applied plan of the type; deleting the type",
    ),
)

"""Retention of tables that belong to no feature."""

from datetime import timedelta

from scaicms.infra.db.retention import Expiry, Retention, fixed

RETENTION = (
    Retention(
        "events",
        "each change of anything",
        1300,
        "the job `audit.cut`, oldest first; events of items on legal hold go to `held_events`",
        "SCAICMS_AUDIT_RETENTION_DAYS",
    ),
    Retention("event_chain", "the installation", 0, "nothing: one row"),
    Retention(
        "held_events",
        "each removed event of an item on legal hold",
        1300,
        "releasing the hold",
        expiry=Expiry("$1::interval IS NOT NULL AND t.aggregate_id NOT IN ({held})", fixed(timedelta())),
    ),
    Retention("event_cuts", "each site whose events were removed", 0, "nothing: at most one row for each site"),
    Retention(
        "jobs",
        "each piece of work",
        1000,
        "the job `search.prune_jobs`; done and cancelled jobs sooner than dead and quarantined ones",
        "SCAICMS_DONE_JOBS_DAYS, SCAICMS_FAILED_JOBS_DAYS",
    ),
    Retention("schedules", "each periodic job", 0, "nothing: a handful of rows"),
    Retention("queue_pauses", "each paused queue", 0, "resuming the queue"),
    Retention("workers", "each worker process", 0, "the sweeper, once a worker has given no sign of life"),
    Retention("sweeper", "the installation", 0, "nothing: one row"),
    Retention(
        "idempotent_answers",
        "each POST with an `Idempotency-Key`",
        2600,
        "24 hours",
        expiry=Expiry("t.created_at < now() - $1::interval", fixed(timedelta(hours=24))),
    ),
)

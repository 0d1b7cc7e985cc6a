"""Retention of the tables of this feature."""

from scaicms.infra.db.retention import Retention

RETENTION = (
    Retention(
        "webhooks",
        "each webhook",
        0,
        "deleting the webhook or the site",
    ),
    Retention(
        "webhook_deliveries",
        "each event for each webhook",
        840,
        "the job `webhooks.prune` once it has ended",
        "SCAICMS_WEBHOOK_DAYS",
    ),
    Retention(
        "webhook_attempts",
        "each request of a delivery",
        1600,
        "its delivery's end",
        "SCAICMS_WEBHOOK_DAYS",
    ),
)

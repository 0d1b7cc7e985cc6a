"""Retention of the tables of this feature."""

from scaicms.infra.db.retention import Retention

RETENTION = (
    Retention(
        "search_documents",
        "each published document",
        16000,
        "unpublishing",
    ),
)

"""Retention of the tables of this feature."""

from scaicms.infra.db.retention import Retention

RETENTION = (
    Retention(
        "taxonomies",
        "each taxonomy",
        0,
        "deleting the taxonomy",
    ),
    Retention(
        "terms",
        "each term",
        1200,
        "deleting the term",
    ),
    Retention(
        "item_terms",
        "each item with terms",
        1200,
        "the item's end",
    ),
    Retention(
        "document_terms",
        "each published document with terms",
        1200,
        "unpublishing",
    ),
)

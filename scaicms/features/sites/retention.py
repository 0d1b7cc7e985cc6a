"""Retention of the tables of this feature."""

from scaicms.infra.db.retention import Retention

RETENTION = (
    Retention(
        "sites",
        "each site",
        0,
        "deleting the site",
    ),
    Retention(
        "site_domains",
        "each domain of a site",
        0,
        "a change of the site",
    ),
)

"""Retention of the tables of this feature."""

from scaicms.infra.db.retention import Retention

RETENTION = (
    Retention(
        "assets",
        "each asset",
        0,
        "deleting the asset",
    ),
    Retention(
        "asset_files",
        "each file of assets",
        0,
        "the job `assets.remove_file` when the last asset of the file is deleted",
    ),
)

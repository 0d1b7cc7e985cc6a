"""What somebody may know of the rows that a plan was tried on: all others are counted and not named."""

from typing import Any

from scaicms.features.content_types import stored
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


def within_rights(found: dict[str, Any], principal: Principal, site: Site, type_key: str) -> dict[str, Any]:
    """The report of a dry run with those of the failing rows whose values the caller may read."""
    return {
        **found,
        "changes": [
            {
                **change,
                "failing": [row for row in change["failing"] if _is_readable(row, principal, site, type_key)],
            }
            for change in found["changes"]
        ],
    }


def _is_readable(row: dict[str, Any], principal: Principal, site: Site, type_key: str) -> bool:
    fields = stored.fields_read(row["row"], principal, site.id, type_key, row["locale"])
    # A field that takes over another's values shows them: both are to be readable.
    keys = row.get("keys") or [row["pointer"].split("/")[2]]
    return fields is None or fields.issuperset(keys)

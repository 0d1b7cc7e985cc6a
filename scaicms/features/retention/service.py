"""Use cases of retention."""

import time
from dataclasses import dataclass, field

from scaicms.infra.db.retention import BATCH, declared, remove_expired
from scaicms.infra.services import Service
from scaicms.kit.principal import EVERYTHING, Principal


@dataclass(slots=True)
class Removed:
    """Rows that one run has removed, by table."""

    rows: dict[str, int] = field(default_factory=dict)
    is_complete: bool = True


class RetentionService(Service):
    """Work on all sites, for no caller in particular."""

    async def remove_expired(self, principal: Principal, *, seconds: float) -> Removed:
        """Remove rows that are past their time, in batches that commit by themselves, until `seconds` are over."""
        principal.require(EVERYTHING)
        started, removed, settings = time.monotonic(), Removed(), self.resources.settings
        for entry in declared():
            while number := await remove_expired(entry, settings):
                removed.rows[entry.table] = removed.rows.get(entry.table, 0) + number
                if time.monotonic() - started > seconds:
                    removed.is_complete = False
                    return removed
                if number < BATCH:
                    break
        return removed

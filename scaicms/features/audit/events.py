"""Facts about the audit log itself."""

from typing import ClassVar

from scaicms.infra.events import Event


class AuditCut(Event):
    """Retention has removed the oldest entries; `aggregate_id` is this run."""

    type: ClassVar[str] = "audit.cut"
    removed: int
    retention_days: int


class AuditExported(Event):
    """Somebody took the log, or the part that fits these filters, out; `aggregate_id` is who."""

    type: ClassVar[str] = "audit.exported"
    filters: tuple[str, ...]


ALL = (AuditCut, AuditExported)

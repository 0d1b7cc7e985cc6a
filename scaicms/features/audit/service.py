"""Use cases of the audit log: reading, exporting, sealing, verifying, cutting."""

from collections.abc import AsyncGenerator
from datetime import timedelta

from scaicms.features.audit import permissions, repository
from scaicms.features.audit.events import AuditCut, AuditExported
from scaicms.features.audit.schemas import AuditFilters, AuditPage, EntryOut, ListAudit, VerdictOut
from scaicms.infra import db, lists
from scaicms.infra.db.retention import held_ids
from scaicms.infra.events import chain, record
from scaicms.infra.services import Service
from scaicms.kit import json
from scaicms.kit.ids import new_id
from scaicms.kit.principal import Principal


class AuditService(Service):
    """The log that every change is written to, in the change's own transaction."""

    async def page(self, principal: Principal, query: ListAudit) -> AuditPage:
        """Entries that fit, newest first."""
        principal.require(permissions.READ.code)
        rows = repository.entries(query)
        found = await lists.read_page(self.resources, rows, query, count=query.count == "exact")
        items = [EntryOut.model_validate(chain.as_dict(row)) for row in found.rows]
        return AuditPage(items=items, **found.about(query))

    async def export(self, principal: Principal, filters: AuditFilters) -> AsyncGenerator[bytes, None]:
        """Everything that fits, oldest first, as batches of NDJSON lines. That it was taken out is in the log too."""
        principal.require(permissions.READ.code)
        given = tuple(f"{name}={value}" for name, value in filters.model_dump(exclude_none=True).items())
        if principal.id is not None:
            async with db.transaction():
                await record(AuditExported(site_id=None, aggregate_id=principal.id, filters=given), actor=principal)
        async for rows in repository.batches(filters):
            yield b"".join(json.dumps(chain.as_dict(row)) + b"\n" for row in rows)

    async def verify(self, principal: Principal) -> VerdictOut:
        """Whether the log is as it was written."""
        principal.require(permissions.READ.code)
        verdict = await chain.verify()
        return VerdictOut.model_validate(
            {name: getattr(verdict, name) for name in verdict.__slots__} | {"intact": not verdict.problems},
            from_attributes=True,
        )

    async def seal(self, principal: Principal) -> int:
        """Link what has been written since; how many entries."""
        principal.require(permissions.READ.code)
        total = 0
        while linked := await chain.seal():
            total += linked
        return total

    async def cut(self, principal: Principal) -> int:
        """Remove what is past the retention; how many entries."""
        principal.require(permissions.READ.code)
        days = self.resources.settings.audit_retention_days
        total = 0
        while days and (removed := await chain.cut(timedelta(days=days), held=held_ids())):
            total += removed
        if total:
            async with db.transaction():
                fact = AuditCut(site_id=None, aggregate_id=new_id(), removed=total, retention_days=days)
                await record(fact, actor=principal)
        return total

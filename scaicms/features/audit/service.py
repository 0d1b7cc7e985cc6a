"""Use cases of the audit log: reading, exporting, sealing, verifying, cutting."""

from collections.abc import AsyncGenerator
from datetime import timedelta

from scaicms.features.audit import permissions, repository
from scaicms.features.audit.events import AuditCut, AuditExported
from scaicms.features.audit.schemas import AuditFilters, AuditPage, EntryOut, ListAudit, VerdictOut
from scaicms.infra import db
from scaicms.infra.db.retention import held_ids
from scaicms.infra.events import chain, record
from scaicms.infra.services import Service
from scaicms.kit import json
from scaicms.kit.cursors import make_cursor, read_cursor
from scaicms.kit.errors import BadRequestError
from scaicms.kit.ids import new_id
from scaicms.kit.principal import Principal

CURSOR = "audit"


class AuditService(Service):
    """The log that every change is written to, in the change's own transaction."""

    async def page(self, principal: Principal, query: ListAudit) -> AuditPage:
        """Entries that fit, newest first."""
        principal.require(permissions.READ.code)
        rows, total = await repository.page(query, self._place(query.cursor))
        shown, more = rows[: query.page_size], len(rows) > query.page_size
        secret = self.resources.settings.secret.get_secret_value()
        return AuditPage(
            items=[EntryOut.model_validate(chain.as_dict(row)) for row in shown],
            total=total,
            page=query.page,
            page_size=query.page_size,
            next_cursor=make_cursor(secret, CURSOR, str(shown[-1]["seq"])) if more else None,
        )

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

    def _place(self, cursor: str | None) -> int | None:
        if cursor is None:
            return None
        place = read_cursor(self.resources.settings.secret.get_secret_value(), CURSOR, cursor)
        if place is None:
            raise BadRequestError("This is no cursor of this list.", code="invalid_cursor")
        return int(place)

"""Use cases of legal holds: while an item is held, nothing of its past goes, and it cannot be removed for good."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from scaicms.features.content import access, hold_repository, permissions, repository
from scaicms.features.content.errors import NotHeldError
from scaicms.features.content.events import ContentHeld, ContentReleased
from scaicms.features.content.records import Item
from scaicms.features.content.service import ContentService
from scaicms.infra import db
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


@dataclass(frozen=True, slots=True)
class Hold:
    """Since when, by whom and why an item is held."""

    item_id: UUID
    reason: str
    created_at: datetime
    created_by: UUID | None


class HoldService(Service):
    """Holds are of an item as a whole, in all its locales."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)

    async def get(self, principal: Principal, site: Site, item_id: UUID) -> Hold:
        """The hold of an item, for who may read its draft.

        Raises:
            NotHeldError: there is none.
        """
        item = await self._content.draft(principal, site, item_id)
        return _hold(await hold_repository.find(site.id, item.id))

    async def put(self, principal: Principal, site: Site, item_id: UUID, reason: str) -> Hold:
        """Hold an item, or give another reason for it."""
        async with db.transaction():
            item = await self._whole(principal, site, item_id)
            hold = _hold(await hold_repository.put(site.id, item.id, reason, principal.author_id))
            await record(item.fact(ContentHeld), actor=principal)
            return hold

    async def remove(self, principal: Principal, site: Site, item_id: UUID) -> None:
        """Let an item go; what is too old then goes with the next compaction."""
        async with db.transaction():
            item = await self._whole(principal, site, item_id)
            if not await hold_repository.remove(site.id, item.id):
                raise NotHeldError
            await record(item.fact(ContentReleased), actor=principal)

    async def _whole(self, principal: Principal, site: Site, item_id: UUID) -> Item:
        item = await self._content.hold(principal, permissions.HOLD, site, item_id)
        if principal.scope(permissions.HOLD.code, site.id) is not None:
            access.require_everywhere(principal, permissions.HOLD, item, await repository.locales_of(item.id))
        return item


def _hold(row: Record | None) -> Hold:
    if row is None:
        raise NotHeldError
    return Hold(**dict(row))

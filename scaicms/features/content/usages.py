"""Use case of what uses an item."""

from collections.abc import Sequence
from uuid import UUID

from scaicms.features.content import permissions, referring
from scaicms.features.content.editing_schemas import LinkingItem
from scaicms.features.content.service import ContentService
from scaicms.infra.services import Service, Services
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import PageQuery
from scaicms.kit.sites import Site


class UsageService(Service):
    """Who would miss an item."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)

    async def of_item(
        self, principal: Principal, site: Site, item_id: UUID, query: PageQuery
    ) -> tuple[Sequence[LinkingItem], int]:
        """A page of what points to an item that the caller may read."""
        principal.require(permissions.READ_DRAFTS.code, site.id)
        item = await self._content.draft(principal, site, item_id)
        return await referring.linking(principal, item, limit=query.page_size, offset=query.offset)

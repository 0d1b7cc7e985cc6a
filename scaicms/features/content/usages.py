"""Use cases of what uses an item or an asset."""

from uuid import UUID

from scaicms.features.assets.service import AssetService
from scaicms.features.content import permissions, referring
from scaicms.features.content.editing_schemas import LinkingItem
from scaicms.features.content.service import ContentService
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import ListQuery
from scaicms.kit.sites import Site


class UsageService(Service):
    """Who would miss an item, or an asset."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)
        self._assets = services.get(AssetService)

    async def of_item(self, principal: Principal, site: Site, item_id: UUID, query: ListQuery) -> Found[LinkingItem]:
        """A page of what points to an item that the caller may read."""
        principal.require(permissions.READ_DRAFTS.code, site.id)
        item = await self._content.draft(principal, site, item_id)
        return await referring.linking(self.resources, principal, site.id, item.id, query)

    async def of_asset(self, principal: Principal, site: Site, asset_id: UUID, query: ListQuery) -> Found[LinkingItem]:
        """The same of an asset."""
        asset = await self._assets.get(principal, site, asset_id)
        return await referring.linking(self.resources, principal, site.id, asset.id, query)

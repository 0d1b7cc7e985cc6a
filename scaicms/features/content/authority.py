"""What grants are narrowed by, of an item, for who explains them."""

from uuid import UUID

from scaicms.features.content import repository
from scaicms.features.sites.service import SiteService
from scaicms.infra.services import Services
from scaicms.kit.locales import known_locale
from scaicms.web.authority import TargetFacts


async def content(services: Services, item_id: UUID, site_id: UUID, locale: str | None) -> TargetFacts | None:
    """An item of a site, in a locale or the site's default."""
    site = await services.get(SiteService).by_id(site_id)
    row = await repository.find(site.id, item_id, known_locale(site, locale), only=locale is not None)
    if row is None:
        return None
    return TargetFacts(await repository.type_key(site.id, row["type_id"]), row["locale"], row["created_by"])

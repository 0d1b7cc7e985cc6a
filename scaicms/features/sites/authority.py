"""What anonymous callers may do at a site, for who explains it."""

from uuid import UUID

from scaicms.features.roles.service import RoleService
from scaicms.features.sites.service import SiteService
from scaicms.infra.services import Services
from scaicms.web.authority import HeldRule, Subject


async def anonymous(services: Services, _: UUID | None, site_id: UUID | None) -> Subject:
    """Anybody, with what the site's public role grants; without a site, with nothing."""
    if site_id is None:
        return Subject("anonymous", None, None, ())
    site = await services.get(SiteService).by_id(site_id)
    rules = await services.get(RoleService).rules_of_role(site.public_role, site.id)
    return Subject("anonymous", None, None, tuple(HeldRule(rule, site.public_role) for rule in rules))

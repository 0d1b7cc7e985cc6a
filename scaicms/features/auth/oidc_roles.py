"""Groups at a provider as roles here: what the mapping names follows the groups at every login, the rest stays."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import structlog

from scaicms.features.auth.errors import OidcUnavailableError
from scaicms.features.roles.errors import LastAdministratorError
from scaicms.features.roles.schemas import Assignment
from scaicms.features.roles.service import RoleService
from scaicms.features.sites.service import SiteService
from scaicms.features.users.models import UserRow
from scaicms.infra.services import Service, Services
from scaicms.kit.errors import InvalidError
from scaicms.kit.principal import SYSTEM
from scaicms.settings import MappedRole, OidcProvider

log = structlog.get_logger(__name__)


class GroupRoles(Service):
    """Keeps the roles of those who log in by a provider."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._roles = services.get(RoleService)
        self._sites = services.get(SiteService)

    async def follow(self, provider: OidcProvider, user: UserRow, groups: set[str]) -> None:
        """Give what the groups give now, take what they no longer do. Needs an open transaction."""
        if not provider.role_map:
            return
        managed = await self._resolved([role for roles in provider.role_map.values() for role in roles])
        given = [role for group, roles in provider.role_map.items() if group in groups for role in roles]
        wanted = await self._resolved(given)
        held = set(await self._roles.own_assignments(user.id))
        after = (held - managed) | wanted
        if after == held:
            return
        assignments = [Assignment(role=role, site_id=site_id) for role, site_id in sorted(after, key=str)]
        try:
            await self._roles.assign(SYSTEM, user.id, assignments)
        except LastAdministratorError:
            log.warning("auth.oidc_roles_kept", reason="this is the last administrator", user_id=str(user.id))
        except InvalidError as error:
            log.error("auth.oidc_roles_unknown", provider=provider.key, error=str(error.errors))
            raise OidcUnavailableError("The login provider is not configured right; tell the operator.") from None

    async def _resolved(self, roles: Iterable[MappedRole]) -> set[tuple[str, UUID | None]]:
        found: set[tuple[str, UUID | None]] = set()
        for mapped in roles:
            site = await self._sites.find(mapped.site) if mapped.site is not None else None
            if mapped.site is None or site is not None:
                found.add((mapped.role, site.id if site is not None else None))
            else:
                log.warning("auth.oidc_site_unknown", site=mapped.site, role=mapped.role)
        return found


def groups_in(claims: Mapping[str, Any], path: str) -> set[str]:
    """The groups at a dotted path of the claims; nothing that is there is nothing that is given."""
    value: Any = claims.get(path)
    if value is None:
        value = claims
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        return {value}
    return {group for group in value if isinstance(group, str)} if isinstance(value, list) else set()

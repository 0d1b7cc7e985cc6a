"""Which types of a site a caller may know of and change."""

from scaicms.features.content_types import permissions, repository
from scaicms.features.content_types.errors import ContentTypeNotFoundError
from scaicms.features.content_types.models import ContentTypeRow
from scaicms.kit.permissions import Permission
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


def reaches(principal: Principal, permission: Permission, site: Site, key: str) -> bool:
    if not principal.may(permission.code, site.id):
        return False
    scope = principal.scope(permission.code, site.id)
    return scope is None or scope.reaches_type(key)


async def readable(principal: Principal, site: Site, key: str) -> ContentTypeRow:
    """The type, or not found."""
    principal.require(permissions.READ.code, site.id)
    row = await repository.find(site.id, key) if reaches(principal, permissions.READ, site, key) else None
    if row is None:
        raise ContentTypeNotFoundError
    return row


async def writable(principal: Principal, site: Site, key: str, *, lock: bool = True) -> ContentTypeRow:
    """The type, to be changed: refused where the caller may only read it, not found where not even that."""
    principal.require(permissions.WRITE.code, site.id)
    row = await repository.find(site.id, key, lock=lock)
    if row is not None and reaches(principal, permissions.WRITE, site, key):
        return row
    if row is not None and reaches(principal, permissions.READ, site, key):
        raise principal.refusal(permissions.WRITE.code, f"Your content_types:write does not reach {key}.")
    raise ContentTypeNotFoundError

"""Who acts. A `Principal` is a required argument of every service method; system work passes `SYSTEM`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from uuid import UUID

from scaicms.kit.errors import ForbiddenError, UnauthorizedError

EVERYTHING = "*"
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Grants:
    """Permission codes held everywhere and per site. `*` is every permission there is or will be."""

    everywhere: frozenset[str] = _NOTHING
    by_site: Mapping[UUID, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))

    def allow(self, permission: str, site_id: UUID | None) -> bool:
        if EVERYTHING in self.everywhere or permission in self.everywhere:
            return True
        if site_id is None:
            return False
        held = self.by_site.get(site_id, _NOTHING)
        return permission in held or EVERYTHING in held


@dataclass(frozen=True, slots=True)
class Principal:
    """The acting user, API key, anonymous caller or the system itself, with what it may do.

    `site_ids` narrows where it may act at all: None is anywhere its grants reach.
    """

    kind: Literal["user", "api_key", "anonymous", "system"]
    id: UUID | None
    name: str
    grants: Grants
    session_id: UUID | None = None
    site_ids: frozenset[UUID] | None = None

    @property
    def is_anonymous(self) -> bool:
        return self.kind == "anonymous"

    def may(self, permission: str, site_id: UUID | None = None) -> bool:
        """Whether `permission` (`resource:action`) is held at the site, or everywhere if `site_id` is None."""
        if self.site_ids is not None and site_id is not None and site_id not in self.site_ids:
            return False
        return self.grants.allow(permission, site_id)

    def may_enter(self, site_id: UUID) -> bool:
        """Whether the site exists for this caller: some permission is held there."""
        if self.site_ids is not None and site_id not in self.site_ids:
            return False
        return bool(self.grants.everywhere or self.grants.by_site.get(site_id))

    def require(self, permission: str, site_id: UUID | None = None) -> None:
        """Raise unless `permission` is held: 401 for a caller nobody knows yet, 403 for one we know."""
        if self.may(permission, site_id):
            return
        if self.is_anonymous:
            raise UnauthorizedError
        raise ForbiddenError(f"You need the permission {permission} for this.", extra={"permission": permission})


SYSTEM = Principal(kind="system", id=None, name="system", grants=Grants(frozenset({EVERYTHING})))
ANONYMOUS = Principal(kind="anonymous", id=None, name="anonymous", grants=Grants())

"""The catalogue of permissions."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from scaicms.features.permissions import permissions
from scaicms.infra.services import Service
from scaicms.kit.permissions import Permission
from scaicms.kit.principal import EVERYTHING, Principal

_declared: dict[str, Permission] = {}


def declare(declared: Iterable[Permission]) -> None:
    """Make the permissions of all features known; called once at start-up."""
    _declared.update({permission.code: permission for permission in declared})


class PermissionService(Service):
    """Knows every permission that a feature has declared."""

    @property
    def known(self) -> Mapping[str, Permission]:
        return MappingProxyType(_declared)

    def unknown(self, codes: Iterable[str]) -> list[str]:
        """Of these codes, those that no feature declares (`*` is every permission)."""
        return sorted({code for code in codes if code != EVERYTHING and code not in _declared})

    def list_permissions(self, principal: Principal) -> list[Permission]:
        principal.require(permissions.READ.code)
        return sorted(_declared.values(), key=lambda permission: permission.code)

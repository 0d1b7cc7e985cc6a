"""Facts about roles."""

from typing import ClassVar

from scaicms.infra.events import Event


class RoleCreated(Event):
    type: ClassVar[str] = "role.created"
    key: str


class RoleUpdated(Event):
    type: ClassVar[str] = "role.updated"
    key: str


class RoleGrantsChanged(Event):
    """Each grant in words: its permission, and its bounds if it has any."""

    type: ClassVar[str] = "role.grants_changed"
    key: str
    granted: tuple[str, ...]
    revoked: tuple[str, ...]


class RoleDeleted(Event):
    type: ClassVar[str] = "role.deleted"
    key: str


class RolesAssigned(Event):
    """`aggregate_id` is the user; a role at one site only is `role@site`."""

    type: ClassVar[str] = "user.roles_assigned"
    roles: tuple[str, ...]


ALL = (RoleCreated, RoleUpdated, RoleGrantsChanged, RoleDeleted, RolesAssigned)

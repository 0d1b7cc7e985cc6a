"""Facts about roles."""

from typing import ClassVar

from scaicms.infra.events import Event


class RoleCreated(Event):
    type: ClassVar[str] = "role.created"
    key: str


class RoleUpdated(Event):
    type: ClassVar[str] = "role.updated"
    key: str


class RoleDeleted(Event):
    type: ClassVar[str] = "role.deleted"
    key: str


class RolesAssigned(Event):
    """`aggregate_id` is the user."""

    type: ClassVar[str] = "user.roles_assigned"
    roles: tuple[str, ...]


ALL = (RoleCreated, RoleUpdated, RoleDeleted, RolesAssigned)

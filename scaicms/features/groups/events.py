"""Facts about groups."""

from typing import ClassVar
from uuid import UUID

from scaicms.infra.events import Event


class GroupEvent(Event):
    """`aggregate_id` is the group."""

    key: str


class GroupCreated(GroupEvent):
    type: ClassVar[str] = "group.created"


class GroupUpdated(GroupEvent):
    type: ClassVar[str] = "group.updated"


class GroupDeleted(GroupEvent):
    type: ClassVar[str] = "group.deleted"


class GroupMembersAdded(GroupEvent):
    type: ClassVar[str] = "group.members_added"
    user_ids: tuple[UUID, ...]


class GroupMemberRemoved(GroupEvent):
    type: ClassVar[str] = "group.member_removed"
    user_id: UUID


class GroupRolesAssigned(GroupEvent):
    """A role at one site only is `role@site`."""

    type: ClassVar[str] = "group.roles_assigned"
    roles: tuple[str, ...]


ALL = (GroupCreated, GroupUpdated, GroupDeleted, GroupMembersAdded, GroupMemberRemoved, GroupRolesAssigned)

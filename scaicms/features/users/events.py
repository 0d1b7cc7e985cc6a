"""Facts about users."""

from typing import ClassVar

from scaicms.infra.events import Event


class UserCreated(Event):
    type: ClassVar[str] = "user.created"


class UserUpdated(Event):
    type: ClassVar[str] = "user.updated"


class UserDeleted(Event):
    type: ClassVar[str] = "user.deleted"


class UserInvited(Event):
    type: ClassVar[str] = "user.invited"


class InvitationAccepted(Event):
    type: ClassVar[str] = "user.invitation_accepted"


ALL = (UserCreated, UserUpdated, UserDeleted, UserInvited, InvitationAccepted)

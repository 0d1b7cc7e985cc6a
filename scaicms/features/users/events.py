"""Facts about users."""

from typing import ClassVar

from scaicms.infra.events import Event


class UserCreated(Event):
    type: ClassVar[str] = "user.created"


class UserUpdated(Event):
    """`changed` names what was sent, never its values."""

    type: ClassVar[str] = "user.updated"
    changed: tuple[str, ...] = ()


class UserDeleted(Event):
    type: ClassVar[str] = "user.deleted"


class UserInvited(Event):
    type: ClassVar[str] = "user.invited"


class InvitationFailed(Event):
    """The mail of an invitation could not be sent; inviting again sends another."""

    type: ClassVar[str] = "user.invitation_failed"
    error: str


class InvitationAccepted(Event):
    type: ClassVar[str] = "user.invitation_accepted"


ALL = (UserCreated, UserUpdated, UserDeleted, UserInvited, InvitationFailed, InvitationAccepted)

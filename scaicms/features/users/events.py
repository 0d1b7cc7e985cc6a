"""Facts about users."""

from typing import ClassVar

from scaicms.infra.events import Event


class UserCreated(Event):
    type: ClassVar[str] = "user.created"


class UserUpdated(Event):
    type: ClassVar[str] = "user.updated"


class UserDeleted(Event):
    type: ClassVar[str] = "user.deleted"


ALL = (UserCreated, UserUpdated, UserDeleted)

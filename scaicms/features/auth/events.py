"""Facts about sessions."""

from typing import ClassVar

from scaicms.infra.events import Event


class LoggedIn(Event):
    """`aggregate_id` is the user."""

    type: ClassVar[str] = "auth.logged_in"


class SessionRevoked(Event):
    """`reason`: logout, or refresh_token_reused."""

    type: ClassVar[str] = "auth.session_revoked"
    reason: str


ALL = (LoggedIn, SessionRevoked)

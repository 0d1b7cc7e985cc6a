"""Facts about sessions."""

from typing import ClassVar, Literal
from uuid import UUID

from scaicms.infra.events import Event

NOBODY = UUID(int=0)


class LoggedIn(Event):
    """`aggregate_id` is the user, as for all facts here; `method`: password, or oidc:<provider>."""

    type: ClassVar[str] = "auth.logged_in"
    method: str


class LoginFailed(Event):
    """Somebody gave a wrong password (`reason`: password) or a wrong code after the right one (second_factor).

    Of an address that belongs to nobody the aggregate is `NOBODY`: what was typed is not kept, it may be a password.
    """

    type: ClassVar[str] = "auth.login_failed"
    reason: Literal["password", "second_factor"]


class SessionRevoked(Event):
    """`reason`: logout, or refresh_token_reused."""

    type: ClassVar[str] = "auth.session_revoked"
    reason: str


class PasswordChanged(Event):
    """By its owner, who knew the old one."""

    type: ClassVar[str] = "auth.password_changed"


class PasswordResetRequested(Event):
    """Somebody asked, and a mail goes to the owner."""

    type: ClassVar[str] = "auth.password_reset_requested"


class PasswordReset(Event):
    """By whoever reads the owner's mail."""

    type: ClassVar[str] = "auth.password_reset"


class TotpEnabled(Event):
    type: ClassVar[str] = "auth.totp_enabled"


class TotpDisabled(Event):
    type: ClassVar[str] = "auth.totp_disabled"


class RecoveryCodeUsed(Event):
    type: ClassVar[str] = "auth.recovery_code_used"


class MailFailed(Event):
    """A mail about the account could not be sent. `mail` is password_reset_link or what the mail was to tell."""

    type: ClassVar[str] = "auth.mail_failed"
    mail: str
    error: str


class ProfileUpdated(Event):
    type: ClassVar[str] = "auth.profile_updated"


ALL = (
    LoggedIn,
    LoginFailed,
    SessionRevoked,
    PasswordChanged,
    PasswordResetRequested,
    PasswordReset,
    TotpEnabled,
    TotpDisabled,
    RecoveryCodeUsed,
    ProfileUpdated,
    MailFailed,
)

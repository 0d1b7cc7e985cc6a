"""Facts about sessions."""

from typing import ClassVar

from scaicms.infra.events import Event


class LoggedIn(Event):
    """`aggregate_id` is the user, as for all facts here; `method`: password, or oidc:<provider>."""

    type: ClassVar[str] = "auth.logged_in"
    method: str


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


class ProfileUpdated(Event):
    type: ClassVar[str] = "auth.profile_updated"


ALL = (
    LoggedIn,
    SessionRevoked,
    PasswordChanged,
    PasswordResetRequested,
    PasswordReset,
    TotpEnabled,
    TotpDisabled,
    RecoveryCodeUsed,
    ProfileUpdated,
)

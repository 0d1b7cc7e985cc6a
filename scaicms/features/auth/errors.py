"""What can be wrong with logging in."""

from scaicms.kit.errors import (
    ConflictError,
    FieldError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
)


class BadCredentialsError(UnauthorizedError):
    """The same for an unknown address, a wrong password and a deactivated account."""

    def __init__(self) -> None:
        super().__init__("The e-mail address or the password is wrong.", code="bad_credentials")


class BadTokenError(UnauthorizedError):
    def __init__(self) -> None:
        super().__init__("The token is not valid, has expired or was revoked.", code="invalid_token")


class BadKeyError(UnauthorizedError):
    def __init__(self) -> None:
        super().__init__("The API key is not valid, has expired or was revoked.", code="invalid_api_key")


class FreshAuthenticationError(ForbiddenError):
    code = "fresh_authentication_required"
    message = (
        "This needs your password in the member `password`. Without a password, log in by your provider again: "
        "the 10 minutes after that login count as one."
    )


class SessionNotFoundError(NotFoundError):
    code, message = "session_not_found", "You have no session with this id."


class BadResetTokenError(InvalidError):
    """The same for one that never was, is used, expired, or overtaken by a newer password."""

    def __init__(self) -> None:
        message = "This link is not valid any more; ask for a new one."
        super().__init__(message, code="invalid_token", errors=[FieldError("/token", "invalid_token", message)])


class OtpRequiredError(UnauthorizedError):
    """Said to those alone who know the password."""

    def __init__(self) -> None:
        message = "This account has two-factor login: send a code from the authenticator, or a recovery code, as otp."
        super().__init__(message, code="otp_required")


class BadOtpError(UnauthorizedError):
    def __init__(self) -> None:
        super().__init__("The code is wrong, out of date, or was used already.", code="bad_otp")


class TooManyCodesError(TooManyRequestsError):
    """No lock-out: whoever has a recovery code still enters."""

    def __init__(self) -> None:
        super().__init__("Too many wrong codes; use a recovery code, or try again later.", retry_after=300)


class TotpActiveError(ConflictError):
    code, message = "totp_active", "Two-factor login is on; turn it off first."


class TotpNotActiveError(NotFoundError):
    code, message = "totp_not_active", "Two-factor login is not on; begin with POST /auth/totp."


class OidcNotFoundError(NotFoundError):
    code, message = "oidc_provider_not_found", "There is no login provider with this key; see GET /auth/oidc."


class OidcUnavailableError(UnavailableError):
    code, message = "oidc_unavailable", "The login provider cannot be reached or answers nonsense; try again."


class OidcRefusedError(UnauthorizedError):
    """Whatever is wrong: the words of the provider are in our logs, not in front of whoever tries."""

    def __init__(self, message: str = "The login by the provider did not succeed; begin again.") -> None:
        super().__init__(message, code="oidc_refused")


class OidcNoAccountError(UnauthorizedError):
    def __init__(self, message: str) -> None:
        super().__init__(message, code="oidc_no_account")

"""What can be wrong with logging in."""

from scaicms.kit.errors import FieldError, InvalidError, NotFoundError, UnauthorizedError


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


class SessionNotFoundError(NotFoundError):
    code, message = "session_not_found", "You have no session with this id."


class BadResetTokenError(InvalidError):
    """The same for one that never was, is used, expired, or overtaken by a newer password."""

    def __init__(self) -> None:
        message = "This link is not valid any more; ask for a new one."
        super().__init__(message, code="invalid_token", errors=[FieldError("/token", "invalid_token", message)])

"""What can be wrong with a user."""

from scaicms.kit.errors import ConflictError, FieldError, ForbiddenError, InvalidError, NotFoundError


class UserNotFoundError(NotFoundError):
    code, message = "user_not_found", "There is no user with this id."


class EmailTakenError(ConflictError):
    code, message = "email_taken", "There is a user with this e-mail address already."


class StrongerUserError(ForbiddenError):
    code, message = (
        "stronger_user",
        "This user may do things that you may not; only an equal can change them.",
    )


class OwnPasswordError(ForbiddenError):
    code = "fresh_authentication_required"
    message = (
        "To change the e-mail address or password of your own account, send your password as `current_password`. "
        "Another administrator can also change them."
    )


class BadInvitationError(InvalidError):
    """The same for one that never was, is accepted, expired, or withdrawn."""

    def __init__(self) -> None:
        message = "This invitation is not valid any more; ask for a new one."
        super().__init__(message, code="invalid_token", errors=[FieldError("/token", "invalid_token", message)])

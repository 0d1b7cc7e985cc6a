"""What can be wrong with a user."""

from scaicms.kit.errors import ConflictError, ForbiddenError, NotFoundError


class UserNotFoundError(NotFoundError):
    code, message = "user_not_found", "There is no user with this id."


class EmailTakenError(ConflictError):
    code, message = "email_taken", "There is a user with this e-mail address already."


class StrongerUserError(ForbiddenError):
    code, message = (
        "stronger_user",
        "This user may do things that you may not; only an equal can change them.",
    )

"""What can be wrong with a role."""

from scaicms.kit.errors import ConflictError, ForbiddenError, NotFoundError


class RoleNotFoundError(NotFoundError):
    code, message = "role_not_found", "There is no role with this id or key."


class RoleExistsError(ConflictError):
    code, message = "role_exists", "There is a role with this key already."


class BuiltInRoleError(ConflictError):
    code, message = (
        "role_built_in",
        "This role is built in; it can be granted more or less, but not removed or renamed.",
    )


class GrantNotFoundError(NotFoundError):
    code, message = "grant_not_found", "The role has no grant with this id."


class MoreThanHeldError(ForbiddenError):
    code, message = "more_than_held", "Nobody grants more than they hold themselves."


class LastAdministratorError(ConflictError):
    code, message = "last_administrator", "This is the last active administrator; make another one first."


class UnknownUserError(NotFoundError):
    code, message = "user_not_found", "There is no user with this id."

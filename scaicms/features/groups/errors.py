"""What can be wrong with a group."""

from scaicms.kit.errors import ConflictError, NotFoundError


class GroupNotFoundError(NotFoundError):
    code, message = "group_not_found", "There is no group with this id or key."


class GroupExistsError(ConflictError):
    code, message = "group_exists", "There is a group with this key already."


class MemberNotFoundError(NotFoundError):
    code, message = "member_not_found", "This user is not in the group."

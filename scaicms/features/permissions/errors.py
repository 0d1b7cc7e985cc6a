"""What can be wrong with a question about authority."""

from scaicms.kit.errors import NotFoundError


class SubjectNotFoundError(NotFoundError):
    code, message = "principal_not_found", "There is nobody with this kind and id."


class TargetNotFoundError(NotFoundError):
    code, message = "target_not_found", "There is nothing with this id at this site."

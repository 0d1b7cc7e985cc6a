"""What can be wrong with search."""

from scaicms.kit.errors import NotFoundError


class JobNotFoundError(NotFoundError):
    code, message = "job_not_found", "There is no job with this id."


class QueueNotFoundError(NotFoundError):
    code, message = "queue_not_found", "There is no such queue."

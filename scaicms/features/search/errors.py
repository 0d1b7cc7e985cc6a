"""What can be wrong with search."""

from scaicms.kit.errors import ConflictError, NotFoundError


class JobNotFoundError(NotFoundError):
    code, message = "job_not_found", "There is no job with this id."


class QueueNotFoundError(NotFoundError):
    code, message = "queue_not_found", "There is no such queue."


class JobNotEndedError(ConflictError):
    code = "job_not_ended"
    message = "Only a dead, quarantined or cancelled job can be retried."


class JobEndedError(ConflictError):
    code, message = "job_ended", "The job has ended; there is nothing to cancel."

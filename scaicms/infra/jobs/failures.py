"""What an error of a handler means: whether another try can help, and how it is described to people.

`last_error` is read over the API by people who may not read the worker's log. It says what was wrong in our own words;
texts of libraries, paths of the server and classes of exceptions are for the log.
"""

from pydantic import ValidationError

from scaicms.infra.jobs.errors import JobError, PermanentJobError
from scaicms.infra.jobs.outages import is_outage
from scaicms.kit.errors import AppError, UnavailableError, is_disk_full

UNEXPECTED = "An unexpected error ended the attempt. The worker's log has the details under this job's id."
UNREADABLE = "The payload of the job does not have the form that its release expects."
OUTAGE = "PostgreSQL or Redis was not available during the attempt."
DISK_FULL = "A disk of the worker has no space left."


def is_permanent(error: Exception) -> bool:
    """Whether no further try can help: the payload or the state of the data forbids it."""
    if isinstance(error, PermanentJobError | ValidationError):
        return True
    return isinstance(error, AppError) and not isinstance(error, UnavailableError) and error.status < 500


def is_expected(error: Exception) -> bool:
    """Whether the error says all: its traceback would tell nothing about a fault of the code."""
    return isinstance(error, AppError | JobError) or is_disk_full(error)


def reason_of(error: Exception) -> str:
    """The error in a sentence for people who use the API."""
    if isinstance(error, AppError):
        return f"{error.code}: {error.in_words}"
    if isinstance(error, JobError):
        return str(error)
    if isinstance(error, ValidationError):
        return UNREADABLE
    if is_disk_full(error):
        return DISK_FULL
    return OUTAGE if is_outage(error) else UNEXPECTED

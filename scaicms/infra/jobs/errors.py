"""What a handler may raise, and what it means for the job."""


class JobError(Exception):
    """Base of the errors that carry their own classification."""


class TransientJobError(JobError):
    """Worth another try later; `retry_after` (seconds) overrides the computed back-off."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentJobError(JobError):
    """No try will ever help: the job is dead, listed and can be replayed by hand."""


class JobCancelledError(JobError):
    """Somebody asked the job to stop and it did; no attempt is charged."""


class JobYieldError(JobError):
    """Not now: more to do than one turn on the queue allows, or somebody else's turn. Continue from the last
    checkpoint, `after` so many seconds; no attempt is charged."""

    def __init__(self, *, after: float = 0) -> None:
        super().__init__()
        self.after = after


class StaleLeaseError(JobError):
    """This worker's lease was taken over: its effects are rolled back, another worker has the job."""

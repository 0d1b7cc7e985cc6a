"""Facts about jobs that the ledger itself records."""

from typing import ClassVar

from scaicms.infra.events.record import Event


class JobGivenUp(Event):
    """A job will not be done unless an operator retries it; `aggregate_id` is the job.

    `state` is `dead` or `quarantined`; `job.cancelled` says that an operator ended one. Whatever waits for the job has
    an event of its own beside this one.
    """

    type: ClassVar[str] = "job.given_up"
    name: str
    state: str
    reason: str

"""Facts about what operators did to jobs and queues."""

from typing import ClassVar
from uuid import NAMESPACE_URL, UUID, uuid5

from scaicms.infra.events import Event
from scaicms.infra.jobs.events import JobGivenUp


class SearchIndexFailed(Event):
    """Search may show a published item as it was; `aggregate_id` is the item, or the content type of many."""

    type: ClassVar[str] = "search.index_failed"
    seen_with: ClassVar[str | None] = "content:read_drafts"
    error: str


class JobRetried(Event):
    """`aggregate_id` is the job."""

    type: ClassVar[str] = "job.retried"


class JobCancelled(Event):
    """Somebody asked for its end; `aggregate_id` is the job."""

    type: ClassVar[str] = "job.cancelled"


class JobsReplayed(Event):
    """`aggregate_id` is the queue's, or of all queues for None."""

    type: ClassVar[str] = "jobs.replayed"
    queue: str | None
    name: str | None
    number: int


class QueuePaused(Event):
    type: ClassVar[str] = "queue.paused"
    queue: str


class QueueResumed(Event):
    type: ClassVar[str] = "queue.resumed"
    queue: str


ALL = (SearchIndexFailed, JobGivenUp, JobRetried, JobCancelled, JobsReplayed, QueuePaused, QueueResumed)


def queue_id(queue: str | None) -> UUID:
    """Events are about something with an id; queues have names. (RFC 9562 §5.5)"""
    return uuid5(NAMESPACE_URL, f"scaicms:queue:{queue or '*'}")

"""Search and queues in and out."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from scaicms.features.content.schemas import ItemOut
from scaicms.infra.jobs import QUEUES
from scaicms.kit.schemas import Answer, Body, ListQuery, PageQuery, TotalRelation

QueueName = Literal["default", "search", "webhooks", "media", "ai"]
JobState = Literal["deferred", "due", "running", "done", "dead", "cancelled", "quarantined"]

if set(QueueName.__args__) != set(QUEUES):  # type: ignore[attr-defined]  # Literal's values, for this very check
    raise TypeError("QueueName must name every queue")


class SearchQuery(PageQuery):
    q: str = Field(min_length=1, max_length=500, description='Words; `"a phrase"`, `-without`, `this or that`.')
    type: str | None = Field(default=None, max_length=63, description="Only items of this content type.")
    locale: str | None = Field(default=None, max_length=35)
    highlight: bool = False
    mode: Literal["lexical"] = "lexical"


class HitOut(ItemOut):
    score: float
    highlights: dict[str, str] = Field(description="HTML with `<mark>` around what matched, by field.")


class SearchResult(Answer):
    items: list[HitOut]
    total: int
    total_relation: TotalRelation = Field(
        description="`at_least`: more items match than were ranked. The newest of them were; `total` is how many."
    )
    page: int
    page_size: int
    took_ms: float


class WorkerOut(Answer):
    id: str
    host: str
    pid: int
    queues: list[str]
    version: str
    running: int
    started_at: datetime
    heartbeat_at: datetime
    memory_bytes: int


class QueueOut(Answer):
    """Figures of one queue. Rates and times are told by the newest jobs, at most 500, of the last five minutes."""

    queue: QueueName
    paused: bool = Field(description="Nobody takes work from it; jobs go on being promised.")
    due: int
    deferred: int
    running: int
    dead: int
    oldest_due_seconds: float | None
    enqueued_per_minute: float
    finished_per_minute: float
    failed_per_minute: float
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    run_p50_ms: float | None
    run_p95_ms: float | None
    workers: int
    redis_depth: int | None = Field(description="Doorbells waiting in Redis; null while Redis cannot be asked.")


class QueuesOut(Answer):
    items: list[QueueOut]
    total: int
    workers: list[WorkerOut]


class JobOut(Answer):
    id: UUID
    queue: str
    name: str
    state: JobState
    site_id: UUID | None
    priority: int
    attempts: int
    max_attempts: int
    lost_leases: int
    run_at: datetime
    lease_until: datetime | None
    worker: str | None
    cancel_requested: bool
    progress: Any
    result: Any
    last_error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobsQuery(ListQuery):
    queue: QueueName | None = None
    state: JobState | None = None
    name: str | None = Field(default=None, max_length=100)


class ReplayJobs(Body):
    queue: QueueName | None = None
    name: str | None = Field(default=None, max_length=100, description="Only jobs of this name.")
    limit: int = Field(default=1000, ge=1, le=10_000)


class Replayed(Answer):
    retried: int

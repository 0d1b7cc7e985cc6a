"""Declaring jobs: a name, a queue, a payload model. Handlers are bound to them by the features' manifests."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from scaicms.kit.schemas import DEFER

if TYPE_CHECKING:  # the handler's context; importing it at run time would be a cycle
    from scaicms.infra.jobs.running import RunningJob
    from scaicms.infra.services import Services


@dataclass(frozen=True, slots=True)
class Queue:
    """Work that waits in the same way. `timeout` (seconds) bounds one attempt of any job on it."""

    name: str
    timeout: float


QUEUES = MappingProxyType(
    {
        queue.name: queue
        for queue in (
            Queue("default", 30),
            Queue("search", 60),
            Queue("webhooks", 30),
            Queue("media", 300),
            Queue("ai", 180),
        )
    }
)


class JobPayload(BaseModel):
    """Base of all payloads: identities and small values, never secrets, never the data itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=DEFER)


PayloadT = TypeVar("PayloadT", bound=JobPayload)
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Job(Generic[PayloadT]):
    """One kind of work.

    `atomic` handlers run inside the transaction that finishes the job, so that effect and completion commit
    together; the others take several transactions, checkpoint each (`RunningJob.checkpoint`) and, when the work
    is longer than a turn on the queue, raise `JobYieldError` to be continued from there.

    A change of the payload is a new `version`, with an entry in `upgrades` that makes the old form (its key) the next
    one: jobs that an older release promised are kept by this one. Newer versions stay pending for newer workers.
    """

    name: str
    queue: str
    payload: type[PayloadT]
    version: int = 1
    max_attempts: int = 8
    priority: int = 0
    atomic: bool = True
    upgrades: Mapping[int, Upgrade] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = set(range(1, self.version)) - set(self.upgrades)
        if missing:
            raise TypeError(f"{self.name}: no upgrade from version {', '.join(map(str, sorted(missing)))}")

    def read(self, raw: dict[str, Any], version: int) -> PayloadT:
        """A stored payload of this version or an older one, as the model of today.

        Raises:
            ValidationError: it does not fit; no further try can help.
        """
        for step in range(version, self.version):
            raw = self.upgrades[step](raw)
        return self.payload.model_validate(raw)

    def request(
        self,
        payload: PayloadT,
        *,
        site_id: UUID | None,
        dedupe_key: str | None = None,
        run_at: datetime | None = None,
    ) -> "JobRequest":
        """Ask for one run. Requests with the same `dedupe_key` that no worker has begun become one job."""
        return JobRequest(self, payload, site_id, dedupe_key, run_at)

    @property
    def seconds(self) -> float:
        """The longest that one attempt may take."""
        return QUEUES[self.queue].timeout


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job to be inserted with the change that calls for it."""

    job: Job[Any]
    payload: JobPayload
    site_id: UUID | None
    dedupe_key: str | None = None
    run_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A job that will not be done unless an operator retries it."""

    job_id: UUID
    site_id: UUID | None
    state: str
    """`dead`, `quarantined` or `cancelled`."""
    reason: str
    """A sentence for people who use the API."""
    services: "Services"


Handler = Callable[[Any, "RunningJob"], Awaitable[None]]
GivenUpHandler = Callable[[Any, GivenUp], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Task:
    """A job with the function that does it.

    `given_up` runs in the transaction that gives the job up: it writes the state of whatever waits for the job, and
    records the event. A task for which nothing waits says why in `unawaited` instead; it has one of the two.
    """

    job: Job[Any]
    handler: Handler
    given_up: GivenUpHandler | None = None
    unawaited: str = ""


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work that the fleet does again and again, exactly once each time, whoever of it is alive.

    After a time without workers it is done once, not once for every time that was missed.
    """

    job: Job[Any]
    payload: JobPayload
    every: timedelta

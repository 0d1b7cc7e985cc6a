"""Giving a job up (dead, quarantined, cancelled): in one transaction with what it means for whatever waits for the job.

A scheduled publication, an import or a file that is being read would otherwise wait for ever. Tasks declare what waits
for them (`Task.given_up`); every way in which a job is given up comes through here, in workers and in the web tier.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from pydantic import ValidationError

from scaicms.infra.events import record
from scaicms.infra.jobs.declare import GivenUp, Task
from scaicms.infra.jobs.events import JobGivenUp
from scaicms.kit.principal import SYSTEM

if TYPE_CHECKING:  # services are built over resources, which hold the doorbell: a cycle at run time
    from scaicms.infra.services import Services

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Promised:
    """What a job was promised with."""

    id: UUID
    name: str
    version: int
    payload: Any
    site_id: UUID | None


_source: Callable[[], Iterable[Task]] = tuple
_known: dict[str, Task] = {}


def declare_tasks(source: Callable[[], Iterable[Task]]) -> None:
    """Set where the tasks come from. They are imported when the first job is given up: the web tier rarely does."""
    global _source  # noqa: PLW0603 - one a process, set at start-up as subscribers are
    _source = source
    _known.clear()


def _tasks() -> Mapping[str, Task]:
    if not _known:
        _known.update({task.job.name: task for task in _source()})
    return _known


async def tell_waiting(
    services: "Services | None", job: Promised, state: str, reason: str, task: Task | None = None
) -> None:
    """Record that the job will not be done, and let whatever waits for it know. Needs the transaction that gives it up.

    A job of another release, or one whose payload fits none, cannot be told of; whatever waits for it was written by
    that release.
    """
    if state != "cancelled":  # that was recorded as what an operator did
        fact = JobGivenUp(site_id=job.site_id, aggregate_id=job.id, name=job.name, state=state, reason=reason)
        await record(fact, actor=SYSTEM)
    task = task or _tasks().get(job.name)
    if task is None:
        log.warning("job.given_up_unknown", job=job.name, job_id=str(job.id))
        return
    if task.given_up is None:
        return
    if services is None:
        raise RuntimeError(f"{job.name} cannot be given up without the services of what waits for it")
    try:
        payload = task.job.read(job.payload, job.version)
    except (ValidationError, KeyError) as error:
        log.warning("job.given_up_unreadable", job=job.name, job_id=str(job.id), error=type(error).__name__)
        return
    await task.given_up(payload, GivenUp(job.id, job.site_id, state, reason, services))

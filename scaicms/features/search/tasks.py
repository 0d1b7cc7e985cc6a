"""Job handlers: payload to service call."""

import time
from uuid import UUID

from scaicms.features.search.events import SearchIndexFailed
from scaicms.features.search.jobs import (
    INDEX_CONTENT,
    INDEX_TYPE,
    PRUNE_JOBS,
    IndexPayload,
    IndexTypePayload,
    PrunePayload,
)
from scaicms.features.search.queues import QueueService
from scaicms.features.search.service import SearchService
from scaicms.infra import db
from scaicms.infra.events import record
from scaicms.infra.jobs import JobYieldError, PermanentJobError, RunningJob
from scaicms.infra.jobs.declare import GivenUp, Task
from scaicms.kit.principal import SYSTEM

# Items that one transaction of `index_type` takes.
BATCH = 50


async def index_content(payload: IndexPayload, job: RunningJob) -> None:
    if job.site_id is None:
        raise PermanentJobError("an item belongs to a site, and this job names none")
    await job.services.get(SearchService).index_item(SYSTEM, job.site_id, payload.item_id)


async def index_type(payload: IndexTypePayload, job: RunningJob) -> None:
    if job.site_id is None:
        raise PermanentJobError("a content type belongs to a site, and this job names none")
    started, after = time.monotonic(), UUID(job.progress["after"]) if job.progress else None
    service = job.services.get(SearchService)
    while True:
        async with db.transaction():
            after = await service.index_type(SYSTEM, job.site_id, payload.type_id, after=after, limit=BATCH)
            if after is None:
                return
            await job.checkpoint({"after": str(after)})
        if time.monotonic() - started > INDEX_TYPE.seconds / 2:
            raise JobYieldError


async def prune_jobs(_: PrunePayload, job: RunningJob) -> None:
    job.result = {"removed": await job.services.get(QueueService).prune(SYSTEM)}


async def give_up_item(payload: IndexPayload, ended: GivenUp) -> None:
    await _tell_index_failed(payload.item_id, ended)


async def give_up_type(payload: IndexTypePayload, ended: GivenUp) -> None:
    await _tell_index_failed(payload.type_id, ended)


async def _tell_index_failed(aggregate_id: UUID, ended: GivenUp) -> None:
    fact = SearchIndexFailed(site_id=ended.site_id, aggregate_id=aggregate_id, error=ended.reason)
    await record(fact, actor=SYSTEM)


TASKS = (
    Task(INDEX_CONTENT, index_content, give_up_item),
    Task(INDEX_TYPE, index_type, give_up_type),
    Task(PRUNE_JOBS, prune_jobs, unawaited="The next run of this periodic job does what this one has left."),
)

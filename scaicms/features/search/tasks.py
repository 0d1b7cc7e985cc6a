"""Job handlers: payload to service call."""

from scaicms.features.search.jobs import INDEX_CONTENT, PRUNE_JOBS, IndexPayload, PrunePayload
from scaicms.features.search.queues import QueueService
from scaicms.features.search.service import SearchService
from scaicms.infra.jobs import PermanentJobError, RunningJob
from scaicms.infra.jobs.declare import Task
from scaicms.kit.principal import SYSTEM


async def index_content(payload: IndexPayload, job: RunningJob) -> None:
    if job.site_id is None:
        raise PermanentJobError("an item belongs to a site, and this job names none")
    await job.services.get(SearchService).index_item(SYSTEM, job.site_id, payload.item_id)


async def prune_jobs(_: PrunePayload, job: RunningJob) -> None:
    job.result = {"removed": await job.services.get(QueueService).prune(SYSTEM)}


TASKS = (Task(INDEX_CONTENT, index_content), Task(PRUNE_JOBS, prune_jobs))

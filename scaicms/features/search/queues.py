"""Use cases of operators: queues, workers, jobs."""

from typing import Any
from uuid import UUID

from redis.exceptions import RedisError

from scaicms.features.search import permissions
from scaicms.features.search.errors import JobNotFoundError
from scaicms.features.search.schemas import JobOut, JobsQuery, QueueOut, QueuesOut, WorkerOut
from scaicms.infra.jobs import stats
from scaicms.infra.jobs.heartbeat import live_workers
from scaicms.infra.services import Service
from scaicms.kit import json
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

JSON_COLUMNS = ("progress", "result")


class QueueService(Service):
    """What waits, runs and failed. Who holds the permission for one site sees that site's jobs alone."""

    async def queues(self, principal: Principal, site: Site) -> QueuesOut:
        scope = _scope(principal, site)
        figures = await stats.queue_figures(self.resources.redis, scope)
        workers = await self._workers()
        for row in figures:
            row["workers"] = sum(row["queue"] in worker.queues for worker in workers)
        items = [QueueOut.model_validate(row) for row in figures]
        return QueuesOut(items=items, total=len(items), workers=workers)

    async def jobs(self, principal: Principal, site: Site, query: JobsQuery) -> tuple[list[JobOut], int]:
        rows, total = await stats.list_jobs(
            site_id=_scope(principal, site),
            queue=query.queue,
            state=query.state,
            name=query.name,
            limit=query.page_size,
            offset=query.offset,
        )
        return [_job(row) for row in rows], total

    async def job(self, principal: Principal, site: Site, job_id: UUID) -> JobOut:
        row = await stats.get_job(job_id, site_id=_scope(principal, site))
        if row is None:
            raise JobNotFoundError
        return _job(row)

    async def _workers(self) -> list[WorkerOut]:
        try:
            return [WorkerOut.model_validate(beat) for beat in await live_workers(self.resources.redis)]
        except (RedisError, OSError):
            # The figures come from PostgreSQL; that Redis is away shows as redis_depth null.
            return []


def _scope(principal: Principal, site: Site) -> UUID | None:
    """None, that is all sites, for who may see queues everywhere."""
    if principal.may(permissions.QUEUES.code, None):
        return None
    principal.require(permissions.QUEUES.code, site.id)
    return site.id


def _job(row: Any) -> JobOut:
    values = dict(row)
    for column in JSON_COLUMNS:
        values[column] = json.loads(values[column]) if values[column] is not None else None
    return JobOut.model_validate(values)

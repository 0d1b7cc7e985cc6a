"""Use cases of operators: queues, workers, jobs."""

import asyncio
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError

from scaicms.features.content.permissions import READ_DRAFTS
from scaicms.features.search import permissions
from scaicms.features.search.errors import JobEndedError, JobNotEndedError, JobNotFoundError, QueueNotFoundError
from scaicms.features.search.events import (
    JobCancelled,
    JobRetried,
    JobsReplayed,
    QueuePaused,
    QueueResumed,
    queue_id,
)
from scaicms.features.search.schemas import JobOut, JobsQuery, QueueOut, QueuesOut, ReplayJobs, WorkerOut
from scaicms.infra import db, lists
from scaicms.infra.events import record
from scaicms.infra.jobs import QUEUES, control, stats
from scaicms.infra.jobs.living import live_workers
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

JSON_COLUMNS = ("progress", "result")
SHARED_SECONDS = 1.0
PRUNE_BATCH = 5000
HIDDEN_ERROR = "It failed. Who asked for it, and who reads all drafts of the site, can read why."


class QueueService(Service):
    """What waits, runs and failed. Who holds the permission for one site reaches that site's jobs alone."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._services = services
        self._shared: dict[UUID | None, tuple[float, QueuesOut]] = {}
        self._sharing = asyncio.Lock()

    async def queues(self, principal: Principal, site: Site | None) -> QueuesOut:
        return await self._figures(_scope(principal, site, permissions.QUEUES.code))

    async def shared(self, principal: Principal, site: Site) -> QueuesOut:
        """The same, at most a second old: however many watch, it is asked once a second."""
        scope = _scope(principal, site, permissions.QUEUES.code)
        async with self._sharing:
            moment, figures = self._shared.get(scope, (0.0, None))
            if figures is None or time.monotonic() - moment > SHARED_SECONDS:
                self._shared = {k: v for k, v in self._shared.items() if time.monotonic() - v[0] < SHARED_SECONDS}
                figures = await self._figures(scope)
                self._shared[scope] = (time.monotonic(), figures)
        return figures

    async def queue(self, principal: Principal, site: Site | None, queue: str) -> QueueOut:
        _known(queue)
        figures = await self.queues(principal, site)
        return next(item for item in figures.items if item.queue == queue)

    async def jobs(self, principal: Principal, site: Site | None, query: JobsQuery) -> Found[JobOut]:
        rows = stats.jobs(
            site_id=_scope(principal, site, permissions.QUEUES.code),
            queue=query.queue,
            state=query.state,
            name=query.name,
        )
        found = await lists.read_page(self.resources, rows, query)
        return found.each(lambda row: _job(principal, row))

    async def job(self, principal: Principal, site: Site | None, job_id: UUID) -> JobOut:
        """A job that the caller asked for, or any one of the site for who holds the permission.

        Raises:
            JobNotFoundError: there is none, or it is somebody else's and the caller may not read it.
        """
        row = await stats.get_job(job_id, site_id=_reach(principal, site))
        if row is None or not (_asked_for(principal, row) or principal.may(permissions.QUEUES.code, row["site_id"])):
            raise JobNotFoundError
        return _job(principal, row)

    async def retry(self, principal: Principal, site: Site | None, job_id: UUID) -> JobOut:
        """Put an ended job back as if it were new."""
        scope = _scope(principal, site, permissions.OPERATE.code)
        async with db.transaction():
            job = await self._existing(principal, job_id, scope)
            if not await control.retry(job_id, site_id=scope):
                raise JobNotEndedError
            await record(JobRetried(site_id=job.site_id, aggregate_id=job_id), actor=principal)
            return await self._existing(principal, job_id, scope)

    async def cancel(self, principal: Principal, site: Site | None, job_id: UUID) -> JobOut:
        """End a waiting job, ask a running one to stop."""
        scope = _scope(principal, site, permissions.OPERATE.code)
        async with db.transaction():
            job = await self._existing(principal, job_id, scope)
            if await control.cancel(job_id, site_id=scope, services=self._services) is None:
                raise JobEndedError
            await record(JobCancelled(site_id=job.site_id, aggregate_id=job_id), actor=principal)
            return await self._existing(principal, job_id, scope)

    async def replay(self, principal: Principal, site: Site | None, which: ReplayJobs) -> int:
        """Put failed jobs back; how many."""
        scope = _scope(principal, site, permissions.OPERATE.code)
        async with db.transaction():
            number = await control.retry_failed(site_id=scope, queue=which.queue, name=which.name, limit=which.limit)
            event = JobsReplayed(
                site_id=scope, aggregate_id=queue_id(which.queue), queue=which.queue, name=which.name, number=number
            )
            await record(event, actor=principal)
        return number

    async def pause(self, principal: Principal, site: Site | None, queue: str) -> QueueOut:
        """Pausing reaches every site, so the permission must be held everywhere."""
        principal.require(permissions.OPERATE.code)
        _known(queue)
        async with db.transaction():
            if await control.pause(queue):
                await record(QueuePaused(site_id=None, aggregate_id=queue_id(queue), queue=queue), actor=principal)
        return await self.queue(principal, site, queue)

    async def resume(self, principal: Principal, site: Site | None, queue: str) -> QueueOut:
        principal.require(permissions.OPERATE.code)
        _known(queue)
        async with db.transaction():
            if await control.resume(queue):
                await record(QueueResumed(site_id=None, aggregate_id=queue_id(queue), queue=queue), actor=principal)
        return await self.queue(principal, site, queue)

    async def prune(self, principal: Principal) -> int:
        """Remove ended jobs that are past their time; how many."""
        principal.require(permissions.OPERATE.code)
        settings, removed = self.resources.settings, 0
        while number := await control.prune(
            done=timedelta(days=settings.done_jobs_days),
            failed=timedelta(days=settings.failed_jobs_days),
            limit=PRUNE_BATCH,
        ):
            removed += number
        return removed

    async def _figures(self, scope: UUID | None) -> QueuesOut:
        figures = await stats.queue_figures(self.resources.redis, scope)
        workers = await self._workers()
        for row in figures:
            row["workers"] = sum(row["queue"] in worker.queues for worker in workers)
        items = [QueueOut.model_validate(row) for row in figures]
        return QueuesOut(items=items, total=len(items), workers=workers)

    async def _workers(self) -> list[WorkerOut]:
        try:
            return [WorkerOut.model_validate(beat) for beat in await live_workers(self.resources.redis)]
        except (RedisError, OSError):
            # The figures come from PostgreSQL; that Redis is away shows as redis_depth null.
            return []

    @staticmethod
    async def _existing(principal: Principal, job_id: UUID, scope: UUID | None) -> JobOut:
        row = await stats.get_job(job_id, site_id=scope)
        if row is None:
            raise JobNotFoundError
        return _job(principal, row)


def _scope(principal: Principal, site: Site | None, permission: str) -> UUID | None:
    """None, that is all sites, for who holds the permission everywhere."""
    if site is None or principal.may(permission, None):
        principal.require(permission)
        return None
    principal.require(permission, site.id)
    return site.id


def _reach(principal: Principal, site: Site | None) -> UUID | None:
    """The site in which a single job is looked up; None: all sites. The job may be the caller's own."""
    return None if site is None or principal.may(permissions.QUEUES.code, None) else site.id


def _asked_for(principal: Principal, row: Any) -> bool:
    """Whether the job acts for the caller, who still has some right at its site."""
    is_theirs = (row["actor_kind"], row["actor_id"]) == (principal.kind, str(principal.id))
    return is_theirs and (row["site_id"] is None or principal.may_enter(row["site_id"]))


def _known(queue: str) -> None:
    if queue not in QUEUES:
        raise QueueNotFoundError


def _job(principal: Principal, row: Any) -> JobOut:
    """A job as the caller may see it. What acts for somebody, as imports do, reports to them and to those who read all
    drafts of the site; others get its figures alone."""
    values = dict(row)
    actor = values.pop("actor_kind"), values.pop("actor_id")
    is_whole = actor[0] is None or actor == (principal.kind, str(principal.id)) or _reads_all(principal, row["site_id"])
    for column in JSON_COLUMNS:
        value = json.loads(values[column]) if values[column] is not None else None
        values[column] = value if is_whole else _figures_alone(value)
    if not is_whole and values["last_error"] is not None:
        values["last_error"] = HIDDEN_ERROR
    return JobOut.model_validate(values)


def _reads_all(principal: Principal, site_id: UUID | None) -> bool:
    return principal.may(READ_DRAFTS.code, site_id) and principal.scope(READ_DRAFTS.code, site_id) is None


def _figures_alone(value: Any) -> Any:
    return {key: one for key, one in value.items() if isinstance(one, int)} if isinstance(value, dict) else None

"""Job handlers: payload to service call."""

import time
from contextlib import suppress

from scaicms.features.assets.jobs import READ_FILE, REMOVE_FILE, SWEEP_STORAGE, FilePayload, SweepPayload
from scaicms.features.assets.processing import FileService
from scaicms.features.sites.errors import SiteNotFoundError
from scaicms.features.sites.service import SiteService
from scaicms.infra.jobs import JobYieldError, RunningJob
from scaicms.infra.jobs.declare import GivenUp, Task
from scaicms.kit.principal import SYSTEM

SWEEP_SECONDS = SWEEP_STORAGE.seconds / 2


async def read_file(payload: FilePayload, job: RunningJob) -> None:
    site = await job.services.get(SiteService).by_id(job.site_id)
    job.result = {"status": await job.services.get(FileService).read(SYSTEM, site, payload.file_id, job.id)}


async def remove_file(payload: FilePayload, job: RunningJob) -> None:
    await job.services.get(FileService).remove(SYSTEM, payload.file_id)


async def give_up_reading(payload: FilePayload, ended: GivenUp) -> None:
    with suppress(SiteNotFoundError):
        site = await ended.services.get(SiteService).by_id(ended.site_id)
        await ended.services.get(FileService).give_up(SYSTEM, site, payload.file_id, ended.reason)


async def sweep_storage(_: SweepPayload, job: RunningJob) -> None:
    """One turn of removing stored files that no row names."""
    started = time.monotonic()
    async for swept, _gone in job.services.get(FileService).sweep(SYSTEM, resume=job.progress):
        await job.checkpoint(swept.as_dict())
        job.result = swept.as_dict()
        if time.monotonic() - started > SWEEP_SECONDS:
            raise JobYieldError


TASKS = (
    Task(READ_FILE, read_file, give_up_reading),
    Task(REMOVE_FILE, remove_file, unawaited="The asset is gone already; only bytes that nobody can reach stay."),
    Task(SWEEP_STORAGE, sweep_storage, unawaited="The next sweep does the same."),
)

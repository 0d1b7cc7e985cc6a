"""Job handlers: payload to service call."""

from scaicms.features.assets.jobs import READ_FILE, REMOVE_FILE, FilePayload
from scaicms.features.assets.processing import FileService
from scaicms.features.sites.service import SiteService
from scaicms.infra.jobs import RunningJob
from scaicms.infra.jobs.declare import Task
from scaicms.kit.principal import SYSTEM


async def read_file(payload: FilePayload, job: RunningJob) -> None:
    site = await job.services.get(SiteService).by_id(job.site_id)
    job.result = {"status": await job.services.get(FileService).read(SYSTEM, site, payload.file_id)}


async def remove_file(payload: FilePayload, job: RunningJob) -> None:
    await job.services.get(FileService).remove(SYSTEM, payload.file_id)


TASKS = (Task(READ_FILE, read_file), Task(REMOVE_FILE, remove_file))

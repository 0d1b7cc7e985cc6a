"""Job handlers: payload to service call."""

import tempfile
import time
from pathlib import Path

from scaicms.features.auth.service import Authenticator
from scaicms.features.content.fallbacks import LocaleRefreshService
from scaicms.features.content.import_batches import ImportBatches, Report
from scaicms.features.content.importing import ImportOptions
from scaicms.features.content.jobs import (
    IMPORT_CONTENT,
    REFRESH_LOCALES,
    REFRESH_TERMS,
    ImportPayload,
    RefreshLocalesPayload,
    RefreshTermsPayload,
)
from scaicms.features.content.reading.rows import SourceError
from scaicms.features.content.refreshing import RefreshService
from scaicms.features.sites.service import SiteService
from scaicms.infra.jobs import JobYieldError, PermanentJobError, RunningJob
from scaicms.infra.jobs.declare import Task
from scaicms.kit.principal import SYSTEM

# Half of what one attempt on the queue may take; then the import continues in another turn.
TURN_SECONDS = IMPORT_CONTENT.seconds / 2


async def import_content(payload: ImportPayload, job: RunningJob) -> None:
    """One turn of an import. The upload is removed when the whole of it is in."""
    report = Report()
    started = time.monotonic()

    site = await job.services.get(SiteService).by_id(job.site_id)
    principal = await job.services.get(Authenticator).principal_of(payload.actor_kind, payload.actor_id)
    options = ImportOptions(payload.type, payload.publish, payload.dry_run, payload.mapping)
    with tempfile.TemporaryDirectory(prefix="scaicms-import-") as folder:
        path = Path(folder) / "upload"
        await job.services.resources.storage.download(payload.upload, path)
        try:
            batches = job.services.get(ImportBatches).batches(
                principal,
                site,
                path,
                options,
                filename=payload.filename,
                resume=job.progress,
                checkpoint=job.checkpoint,
            )
            async for report in batches:
                if time.monotonic() - started > TURN_SECONDS and report.done < report.total:
                    raise JobYieldError
        except SourceError as error:
            raise PermanentJobError(str(error)) from error
    job.result = report.as_dict()
    await job.services.resources.storage.delete(payload.upload)


async def refresh_terms(payload: RefreshTermsPayload, job: RunningJob) -> None:
    """One turn of rendering the documents that show a term."""
    started = time.monotonic()
    site = await job.services.get(SiteService).by_id(job.site_id)
    batches = job.services.get(RefreshService).batches(
        SYSTEM, site, payload.term_id, resume=job.progress, checkpoint=job.checkpoint
    )
    changed = 0
    async for number in batches:
        changed += number
        if time.monotonic() - started > TURN_SECONDS:
            raise JobYieldError
    job.result = {"changed": changed}


async def refresh_locales(payload: RefreshLocalesPayload, job: RunningJob) -> None:
    site = await job.services.get(SiteService).by_id(job.site_id)
    changed = await job.services.get(LocaleRefreshService).refresh(SYSTEM, site, payload.item_id)
    job.result = {"changed": changed}


TASKS = (
    Task(IMPORT_CONTENT, import_content),
    Task(REFRESH_LOCALES, refresh_locales),
    Task(REFRESH_TERMS, refresh_terms),
)

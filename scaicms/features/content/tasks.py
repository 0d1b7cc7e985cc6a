"""Job handlers: payload to service call."""

import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from scaicms.features.auth.service import Authenticator
from scaicms.features.content.compacting import CompactionService
from scaicms.features.content.events import ContentImportFailed
from scaicms.features.content.fallbacks import LocaleRefreshService
from scaicms.features.content.import_batches import ImportBatches
from scaicms.features.content.import_report import Report
from scaicms.features.content.importing import ImportOptions
from scaicms.features.content.jobs import (
    COMPACT_HISTORY,
    DO_RELEASE,
    DO_SCHEDULED,
    EMPTY_TRASH,
    FIND_LINKS,
    HEAL_LINKS,
    IMPORT_CONTENT,
    REFRESH_CHAINS,
    REFRESH_LOCALES,
    REFRESH_TERMS,
    CompactPayload,
    EmptyTrashPayload,
    ImportPayload,
    LinksPayload,
    RefreshChainsPayload,
    RefreshLocalesPayload,
    RefreshTermsPayload,
    ReleasePayload,
    ScheduledPayload,
    TypeLinksPayload,
)
from scaicms.features.content.lifecycle import LifecycleService
from scaicms.features.content.reading.rows import SourceError
from scaicms.features.content.refreshing import RefreshService
from scaicms.features.content.releases import ReleaseService
from scaicms.features.content.restoring import RestoreBatches
from scaicms.features.content.scheduling import ScheduleService
from scaicms.features.sites.errors import SiteNotFoundError
from scaicms.features.sites.service import SiteService
from scaicms.infra.events import record
from scaicms.infra.jobs import JobYieldError, PermanentJobError, RunningJob
from scaicms.infra.jobs.declare import GivenUp, Task
from scaicms.infra.temporary import job_folder
from scaicms.kit.principal import SYSTEM

# Half of what one attempt on the queue may take; then the import continues in another turn.
TURN_SECONDS = IMPORT_CONTENT.seconds / 2
MISSING_UPLOAD = "The uploaded file is not in the storage any more. Import it again."


async def import_content(payload: ImportPayload, job: RunningJob) -> None:
    """One turn of an import. The upload is removed when the whole of it is in, and that is committed."""
    report = Report.resumed(job.progress)
    if report is None or not report.is_complete:
        report = await _take_in(payload, job)
    job.result = report.as_dict()
    storage = job.services.resources.storage
    job.when_finished(lambda: storage.delete(payload.upload))


async def _take_in(payload: ImportPayload, job: RunningJob) -> Report:
    """Go on with an import, until its end or that of this turn."""
    report, started = Report(), time.monotonic()
    site = await job.services.get(SiteService).by_id(job.site_id)
    principal = await job.services.get(Authenticator).principal_of(payload.actor_kind, payload.actor_id)
    options = ImportOptions(payload.type, payload.publish, payload.dry_run, payload.mapping, payload.format)
    importer: ImportBatches | RestoreBatches = job.services.get(ImportBatches)
    if payload.format == "export":
        importer = job.services.get(RestoreBatches)
    with job_folder() as folder:
        path = Path(folder) / "upload"
        try:
            await job.services.resources.storage.download(payload.upload, path)
        except FileNotFoundError:
            raise PermanentJobError(MISSING_UPLOAD) from None
        try:
            batches = importer.batches(
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
    return report


async def refresh_terms(payload: RefreshTermsPayload, job: RunningJob) -> None:
    """One turn of rendering the documents that show a term."""
    site = await job.services.get(SiteService).by_id(job.site_id)
    service = job.services.get(RefreshService)
    await _take_turn(
        job, service.batches(SYSTEM, site, payload.term_id, resume=job.progress, checkpoint=job.checkpoint)
    )


async def heal_links(payload: LinksPayload, job: RunningJob) -> None:
    """One turn of rendering the documents that point to an item which was published or unpublished."""
    site = await job.services.get(SiteService).by_id(job.site_id)
    service = job.services.get(RefreshService)
    await _take_turn(
        job, service.link_batches(SYSTEM, site, payload.item_id, resume=job.progress, checkpoint=job.checkpoint)
    )


async def find_links(payload: TypeLinksPayload, job: RunningJob) -> None:
    """One turn of finding what the documents of a changed type point to."""
    site = await job.services.get(SiteService).by_id(job.site_id)
    service = job.services.get(RefreshService)
    await _take_turn(
        job, service.type_batches(SYSTEM, site, payload.type_id, resume=job.progress, checkpoint=job.checkpoint)
    )


async def _take_turn(job: RunningJob, batches: AsyncIterator[int]) -> None:
    started, changed = time.monotonic(), 0
    async for number in batches:
        changed += number
        if time.monotonic() - started > TURN_SECONDS:
            raise JobYieldError
    job.result = {"changed": changed}


async def refresh_locales(payload: RefreshLocalesPayload, job: RunningJob) -> None:
    site = await job.services.get(SiteService).by_id(job.site_id)
    changed = await job.services.get(LocaleRefreshService).refresh(SYSTEM, site, payload.item_id)
    job.result = {"changed": changed}


async def refresh_chains(_: RefreshChainsPayload, job: RunningJob) -> None:
    """One turn of rendering the documents of a site whose locales fall back to others."""
    site = await job.services.get(SiteService).by_id(job.site_id)
    service = job.services.get(LocaleRefreshService)
    await _take_turn(job, service.batches(SYSTEM, site, resume=job.progress, checkpoint=job.checkpoint))


async def do_scheduled(payload: ScheduledPayload, job: RunningJob) -> None:
    """Publish or unpublish what is due, in the transaction that finishes the job."""
    site = await job.services.get(SiteService).by_id(job.site_id)
    await job.services.get(ScheduleService).do(site, payload.schedule_id)


async def do_release(payload: ReleasePayload, job: RunningJob) -> None:
    """Do all of a release that is due, in the transaction that finishes the job."""
    site = await job.services.get(SiteService).by_id(job.site_id)
    await job.services.get(ReleaseService).do(site, payload.release_id, job.id)


async def give_up_import(payload: ImportPayload, ended: GivenUp) -> None:
    fact = ContentImportFailed(
        site_id=ended.site_id,
        aggregate_id=ended.job_id,
        content_type=payload.type,
        filename=payload.filename,
        error=ended.reason,
    )
    await record(fact, actor=SYSTEM)


async def give_up_scheduled(payload: ScheduledPayload, ended: GivenUp) -> None:
    with suppress(SiteNotFoundError):
        site = await ended.services.get(SiteService).by_id(ended.site_id)
        service = ended.services.get(ScheduleService)
        await service.give_up(site, payload.schedule_id, ended.reason, cancelled=ended.state == "cancelled")


async def give_up_release(payload: ReleasePayload, ended: GivenUp) -> None:
    with suppress(SiteNotFoundError):
        site = await ended.services.get(SiteService).by_id(ended.site_id)
        service = ended.services.get(ReleaseService)
        cancelled = ended.state == "cancelled"
        await service.give_up(site, payload.release_id, ended.job_id, ended.reason, cancelled=cancelled)


async def compact_history(_: CompactPayload, job: RunningJob) -> None:
    """One turn of thinning out the past."""
    started = time.monotonic()
    batches = job.services.get(CompactionService).batches(SYSTEM, resume=job.progress, checkpoint=job.checkpoint)
    async for progress in batches:
        job.result = {"removed": progress.removed}
        if time.monotonic() - started > TURN_SECONDS:
            raise JobYieldError


async def empty_trash(_: EmptyTrashPayload, job: RunningJob) -> None:
    job.result = {"removed": await job.services.get(LifecycleService).empty_trash(SYSTEM)}


# Documents stay as they were published; `job.given_up` names the job that an operator can retry.
RENDERED = "Documents stay valid as they are, and the next publication of an item renders them again."
PERIODIC = "The next run of this periodic job does what this one has left."

TASKS = (
    Task(COMPACT_HISTORY, compact_history, unawaited=PERIODIC),
    Task(IMPORT_CONTENT, import_content, give_up_import),
    Task(REFRESH_CHAINS, refresh_chains, unawaited=RENDERED),
    Task(REFRESH_LOCALES, refresh_locales, unawaited=RENDERED),
    Task(REFRESH_TERMS, refresh_terms, unawaited=RENDERED),
    Task(HEAL_LINKS, heal_links, unawaited=RENDERED),
    Task(FIND_LINKS, find_links, unawaited=RENDERED),
    Task(DO_SCHEDULED, do_scheduled, give_up_scheduled),
    Task(DO_RELEASE, do_release, give_up_release),
    Task(EMPTY_TRASH, empty_trash, unawaited=PERIODIC),
)

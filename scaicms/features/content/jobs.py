"""Work on content that workers do."""

from typing import Any, Literal
from uuid import UUID

from scaicms.infra.jobs import Job, JobPayload


class ImportPayload(JobPayload):
    """Where the upload lies, what to make of it, and who is acting."""

    upload: str
    filename: str
    type: str
    publish: bool = False
    dry_run: bool = False
    mapping: dict[str, Any] | None = None
    format: Literal["rows", "export"] = "rows"
    actor_kind: str
    actor_id: UUID | None


IMPORT_CONTENT = Job(
    "content.import",
    "default",
    ImportPayload,
    version=2,
    atomic=False,
    upgrades={1: lambda raw: {**raw, "format": "rows"}},
)


class ScheduledPayload(JobPayload):
    """What is to be done when the job is due."""

    schedule_id: UUID


# Before imports and other bulk work. Many attempts: an outage at that very time must not be the end of it.
DO_SCHEDULED = Job("content.do_scheduled", "default", ScheduledPayload, max_attempts=100, priority=5)


class ReleasePayload(JobPayload):
    """The release that is to be done when the job is due, unless it has another job by then."""

    release_id: UUID


DO_RELEASE = Job("content.do_release", "default", ReleasePayload, max_attempts=100, priority=5)


class LinksPayload(JobPayload):
    """The item that was published or unpublished, or that points to what is not; or the asset that was deleted."""

    item_id: UUID


HEAL_LINKS = Job("content.heal_links", "default", LinksPayload, atomic=False)


class TypeLinksPayload(JobPayload):
    """The content type whose documents were made anew with its fields."""

    type_id: UUID


FIND_LINKS = Job("content.find_links", "default", TypeLinksPayload, atomic=False)


class CompactPayload(JobPayload):
    """Nothing to say."""


COMPACT_HISTORY = Job("content.compact_history", "default", CompactPayload, atomic=False)


class EmptyTrashPayload(JobPayload):
    """Nothing to say: what there is to do is in the trash and the settings."""


EMPTY_TRASH = Job("content.empty_trash", "default", EmptyTrashPayload, atomic=False)


class RefreshTermsPayload(JobPayload):
    """The term that is called otherwise; None: some that documents of the site show are gone."""

    term_id: UUID | None


REFRESH_TERMS = Job(
    "content.refresh_terms",
    "default",
    RefreshTermsPayload,
    version=2,
    atomic=False,
    upgrades={1: lambda raw: {"term_id": raw["term_id"]}},
)


class RefreshLocalesPayload(JobPayload):
    """The item of which a locale was published or taken out of delivery."""

    item_id: UUID


REFRESH_LOCALES = Job("content.refresh_locales", "default", RefreshLocalesPayload)


class RefreshChainsPayload(JobPayload):
    """Nothing to say: all documents of the job's site may take what they lack from other locales now."""


REFRESH_CHAINS = Job("content.refresh_chains", "default", RefreshChainsPayload, atomic=False, priority=-1)

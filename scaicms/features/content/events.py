"""Facts about items."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from scaicms.infra.events import Event


class ContentEvent(Event):
    """`aggregate_id` is the item."""

    seen_with: ClassVar[str | None] = "content:read_drafts"
    about: ClassVar[str | None] = "content_type"

    content_type: str
    slug: str
    locale: str
    item_version: int


class ContentCreated(ContentEvent):
    type: ClassVar[str] = "content.created"


class ContentUpdated(ContentEvent):
    type: ClassVar[str] = "content.updated"


class ContentImportRequested(Event):
    """`aggregate_id` is the job that will do it."""

    type: ClassVar[str] = "content.import_requested"
    content_type: str
    filename: str
    publish: bool
    dry_run: bool


class ContentImportFailed(Event):
    """An import ended before all of its rows were in; `aggregate_id` is its job."""

    type: ClassVar[str] = "content.import_failed"
    seen_with: ClassVar[str | None] = "content:import"
    content_type: str
    filename: str
    error: str


class TranslationAdded(ContentEvent):
    """The item has a draft in one more locale."""

    type: ClassVar[str] = "content.translation_added"


class TranslationRemoved(ContentEvent):
    """The item's draft in the locale is gone, and what was published of it."""

    type: ClassVar[str] = "content.translation_removed"


class ContentPublished(ContentEvent):
    type: ClassVar[str] = "content.published"
    seen_with: ClassVar[str | None] = "content:read"


class ContentRefreshed(ContentEvent):
    """The published document was rendered anew: what it shows of a term, another locale or a target has changed."""

    type: ClassVar[str] = "content.refreshed"
    seen_with: ClassVar[str | None] = "content:read"


class ContentUnpublished(ContentEvent):
    type: ClassVar[str] = "content.unpublished"
    seen_with: ClassVar[str | None] = "content:read"


class ContentScheduled(ContentEvent):
    """The item will be published or unpublished at `due_at`."""

    type: ClassVar[str] = "content.scheduled"
    schedule_id: UUID
    action: str
    due_at: datetime


class ContentScheduleCancelled(ContentScheduled):
    type: ClassVar[str] = "content.schedule_cancelled"


class ContentScheduleFailed(ContentScheduled):
    """It was due, and could not be done."""

    type: ClassVar[str] = "content.schedule_failed"
    error: str


class ContentMoved(ContentEvent):
    """The item is in another stage of its workflow."""

    type: ClassVar[str] = "content.moved"
    from_stage: str | None
    to_stage: str
    comment: str | None
    lapsed: bool = False
    """Whether a change by somebody who may not move items to `from_stage` did this."""


class ReleaseEvent(Event):
    """`aggregate_id` is the release."""

    seen_with: ClassVar[str | None] = "content:publish"

    name: str


class ReleaseCreated(ReleaseEvent):
    type: ClassVar[str] = "content.release_created"


class ReleaseUpdated(ReleaseEvent):
    type: ClassVar[str] = "content.release_updated"


class ReleaseDeleted(ReleaseEvent):
    type: ClassVar[str] = "content.release_deleted"


class ReleasePublished(ReleaseEvent):
    """All of its items were published or unpublished, in this transaction."""

    type: ClassVar[str] = "content.release_published"


class ReleaseFailed(ReleaseEvent):
    """It was due, and nothing of it was done."""

    type: ClassVar[str] = "content.release_failed"
    error: str


class ContentDeleted(ContentEvent):
    type: ClassVar[str] = "content.deleted"


class ContentHeld(ContentEvent):
    """It is on legal hold."""

    type: ClassVar[str] = "content.held"


class ContentReleased(ContentEvent):
    """It is on legal hold no more."""

    type: ClassVar[str] = "content.released"


class ContentArchived(ContentEvent):
    type: ClassVar[str] = "content.archived"


class ContentRestored(ContentEvent):
    """Out of the trash or the archive, as a draft."""

    type: ClassVar[str] = "content.restored"


class ContentPreviewOpened(Event):
    """Somebody made a token that shows the draft of an item, `aggregate_id`, until `expires_at`."""

    type: ClassVar[str] = "content.preview_opened"
    locale: str
    expires_at: str


class ContentErased(Event):
    """`aggregate_id` is the item, which was in the trash for as long as things stay there."""

    type: ClassVar[str] = "content.erased"
    seen_with: ClassVar[str | None] = "content:read_drafts"
    about: ClassVar[str | None] = "content_type"
    content_type: str
    slug: str


ALL = (
    ContentCreated,
    ContentUpdated,
    TranslationAdded,
    TranslationRemoved,
    ContentImportRequested,
    ContentImportFailed,
    ContentPublished,
    ContentRefreshed,
    ContentUnpublished,
    ContentScheduled,
    ContentScheduleCancelled,
    ContentScheduleFailed,
    ContentMoved,
    ReleaseCreated,
    ReleaseUpdated,
    ReleaseDeleted,
    ReleasePublished,
    ReleaseFailed,
    ContentDeleted,
    ContentHeld,
    ContentReleased,
    ContentArchived,
    ContentRestored,
    ContentErased,
    ContentPreviewOpened,
)

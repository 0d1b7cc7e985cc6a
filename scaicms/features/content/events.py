"""Facts about items."""

from typing import ClassVar

from scaicms.infra.events import Event


class ContentEvent(Event):
    """`aggregate_id` is the item."""

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


class TranslationAdded(ContentEvent):
    """The item has a draft in one more locale."""

    type: ClassVar[str] = "content.translation_added"


class TranslationRemoved(ContentEvent):
    """The item's draft in the locale is gone, and what was published of it."""

    type: ClassVar[str] = "content.translation_removed"


class ContentPublished(ContentEvent):
    type: ClassVar[str] = "content.published"


class ContentRefreshed(ContentEvent):
    """The published document was rendered anew, since a term that it shows has changed, or another locale."""

    type: ClassVar[str] = "content.refreshed"


class ContentUnpublished(ContentEvent):
    type: ClassVar[str] = "content.unpublished"


class ContentDeleted(ContentEvent):
    type: ClassVar[str] = "content.deleted"


ALL = (
    ContentCreated,
    ContentUpdated,
    TranslationAdded,
    TranslationRemoved,
    ContentImportRequested,
    ContentPublished,
    ContentRefreshed,
    ContentUnpublished,
    ContentDeleted,
)

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


class ContentPublished(ContentEvent):
    type: ClassVar[str] = "content.published"


class ContentUnpublished(ContentEvent):
    type: ClassVar[str] = "content.unpublished"


class ContentDeleted(ContentEvent):
    type: ClassVar[str] = "content.deleted"


ALL = (ContentCreated, ContentUpdated, ContentPublished, ContentUnpublished, ContentDeleted)

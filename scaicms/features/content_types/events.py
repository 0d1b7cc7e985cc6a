"""Facts about content types."""

from typing import ClassVar

from scaicms.infra.events import Event


class ContentTypeCreated(Event):
    type: ClassVar[str] = "content_type.created"
    key: str


class ContentTypeUpdated(Event):
    type: ClassVar[str] = "content_type.updated"
    key: str
    schema_version: int


class ContentTypeRewritten(Event):
    """What is stored of the type was changed together with its fields."""

    type: ClassVar[str] = "content_type.rewritten"
    key: str


class ContentTypeDeleted(Event):
    type: ClassVar[str] = "content_type.deleted"
    key: str


ALL = (ContentTypeCreated, ContentTypeUpdated, ContentTypeRewritten, ContentTypeDeleted)

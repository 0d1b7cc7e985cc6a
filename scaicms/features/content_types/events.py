"""Facts about content types."""

from typing import ClassVar
from uuid import UUID

from scaicms.infra.events import Event


class ContentTypeEvent(Event):
    """`aggregate_id` is the content type."""

    seen_with: ClassVar[str | None] = "content_types:read"
    about: ClassVar[str | None] = "key"

    key: str


class ContentTypeCreated(ContentTypeEvent):
    type: ClassVar[str] = "content_type.created"


class ContentTypeUpdated(ContentTypeEvent):
    type: ClassVar[str] = "content_type.updated"
    schema_version: int


class ContentTypeRewritten(ContentTypeEvent):
    """What is stored of the type was changed together with its fields."""

    type: ClassVar[str] = "content_type.rewritten"


class ContentTypePlanFailed(ContentTypeEvent):
    """A plan was not applied; the fields are what they were."""

    type: ClassVar[str] = "content_type.plan_failed"
    plan_id: UUID
    error: str


class ContentTypeIndexingFailed(ContentTypeEvent):
    """Indexes that its fields call for may be missing: lists that filter or sort by these fields are slow."""

    type: ClassVar[str] = "content_type.indexing_failed"
    error: str


class ContentTypeDeleted(ContentTypeEvent):
    type: ClassVar[str] = "content_type.deleted"


ALL = (
    ContentTypeCreated,
    ContentTypeUpdated,
    ContentTypeRewritten,
    ContentTypePlanFailed,
    ContentTypeIndexingFailed,
    ContentTypeDeleted,
)

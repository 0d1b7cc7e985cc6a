"""Which facts call for work on the index."""

from collections.abc import Iterable

from scaicms.features.content.events import (
    ContentDeleted,
    ContentEvent,
    ContentPublished,
    ContentRefreshed,
    ContentUnpublished,
)
from scaicms.features.content_types.events import ContentTypeRewritten
from scaicms.features.search.jobs import INDEX_CONTENT, INDEX_TYPE, IndexPayload, IndexTypePayload
from scaicms.infra.events import Event
from scaicms.infra.events.record import Subscriber
from scaicms.infra.jobs import JobRequest


def index(event: ContentEvent) -> Iterable[JobRequest]:
    """One job an item; several changes before a worker begins are one job."""
    yield INDEX_CONTENT.request(
        IndexPayload(item_id=event.aggregate_id),
        site_id=event.site_id,
        dedupe_key=f"index:{event.aggregate_id}",
    )


def index_type(event: ContentTypeRewritten) -> Iterable[JobRequest]:
    """Which fields are searched, and what they say, may be others now."""
    yield INDEX_TYPE.request(
        IndexTypePayload(type_id=event.aggregate_id), site_id=event.site_id, dedupe_key=f"type:{event.aggregate_id}"
    )


SUBSCRIBERS: dict[type[Event], tuple[Subscriber, ...]] = {
    **dict.fromkeys((ContentPublished, ContentRefreshed, ContentUnpublished, ContentDeleted), (index,)),
    ContentTypeRewritten: (index_type,),
}

"""Which facts call for work on the index."""

from collections.abc import Iterable

from scaicms.features.content.events import (
    ContentDeleted,
    ContentEvent,
    ContentPublished,
    ContentRefreshed,
    ContentUnpublished,
)
from scaicms.features.search.jobs import INDEX_CONTENT, IndexPayload
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


SUBSCRIBERS: dict[type[Event], tuple[Subscriber, ...]] = dict.fromkeys(
    (ContentPublished, ContentRefreshed, ContentUnpublished, ContentDeleted), (index,)
)

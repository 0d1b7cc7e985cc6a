"""Which facts about sites, terms and types call for work on content."""

from collections.abc import Iterable
from uuid import UUID

from scaicms.features.assets.events import AssetDeleted
from scaicms.features.content.jobs import (
    FIND_LINKS,
    HEAL_LINKS,
    REFRESH_CHAINS,
    REFRESH_TERMS,
    LinksPayload,
    RefreshChainsPayload,
    RefreshTermsPayload,
    TypeLinksPayload,
)
from scaicms.features.content_types.events import ContentTypeRewritten
from scaicms.features.sites.events import SiteUpdated
from scaicms.features.taxonomies.events import TaxonomyDeleted, TermDeleted, TermMerged, TermRenamed
from scaicms.infra.events import Event
from scaicms.infra.events.record import Subscriber
from scaicms.infra.jobs import JobRequest


def renamed(event: TermRenamed) -> Iterable[JobRequest]:
    yield _request(event.site_id, event.aggregate_id)


def gone(event: TermMerged | TermDeleted | TaxonomyDeleted) -> Iterable[JobRequest]:
    yield _request(event.site_id, None)


def asset_gone(event: AssetDeleted) -> Iterable[JobRequest]:
    """Documents that show it say so from now on."""
    if event.documents:
        payload = LinksPayload(item_id=event.aggregate_id)
        yield HEAL_LINKS.request(payload, site_id=event.site_id, dedupe_key=f"links:{event.aggregate_id}")


def rewritten(event: ContentTypeRewritten) -> Iterable[JobRequest]:
    """Relations may be called otherwise now, or be no more."""
    yield FIND_LINKS.request(
        TypeLinksPayload(type_id=event.aggregate_id), site_id=event.site_id, dedupe_key=f"links:{event.aggregate_id}"
    )


def relocated(event: SiteUpdated) -> Iterable[JobRequest]:
    """What stands in for what a locale lacks may be another locale now."""
    if event.locales_changed:
        key = f"chains:{event.aggregate_id}"
        yield REFRESH_CHAINS.request(RefreshChainsPayload(), site_id=event.aggregate_id, dedupe_key=key)


def _request(site_id: UUID | None, term_id: UUID | None) -> JobRequest:
    return REFRESH_TERMS.request(
        RefreshTermsPayload(term_id=term_id), site_id=site_id, dedupe_key=f"terms:{term_id or site_id}"
    )


SUBSCRIBERS: dict[type[Event], tuple[Subscriber, ...]] = {
    AssetDeleted: (asset_gone,),
    TermRenamed: (renamed,),
    TermMerged: (gone,),
    TermDeleted: (gone,),
    TaxonomyDeleted: (gone,),
    ContentTypeRewritten: (rewritten,),
    SiteUpdated: (relocated,),
}

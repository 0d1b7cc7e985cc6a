"""Facts about sites."""

from typing import ClassVar

from scaicms.infra.events import Event


class SiteCreated(Event):
    type: ClassVar[str] = "site.created"
    key: str


class SiteUpdated(Event):
    type: ClassVar[str] = "site.updated"
    key: str


class SiteDeleted(Event):
    type: ClassVar[str] = "site.deleted"
    key: str


ALL = (SiteCreated, SiteUpdated, SiteDeleted)

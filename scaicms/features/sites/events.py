"""Facts about sites."""

from typing import ClassVar

from scaicms.infra.events import Event


class SiteCreated(Event):
    type: ClassVar[str] = "site.created"
    key: str


class SiteUpdated(Event):
    """`locales_changed`: others are there, or they fall back to others."""

    type: ClassVar[str] = "site.updated"
    key: str
    locales_changed: bool = False


class SiteDeleted(Event):
    type: ClassVar[str] = "site.deleted"
    key: str


ALL = (SiteCreated, SiteUpdated, SiteDeleted)

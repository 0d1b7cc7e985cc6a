"""An item in one locale as services pass it around."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from scaicms.features.content.events import ContentEvent
from scaicms.features.content_types.service import CompiledType, Stage
from scaicms.features.taxonomies.service import ItemTerm


@dataclass(frozen=True, slots=True)
class Item:
    """The current draft of an item with what is known of its publication."""

    id: UUID
    site_id: UUID
    content_type: CompiledType
    slug: str
    locale: str
    version: int
    published_version: int | None
    data: dict[str, Any]
    created_at: datetime
    created_by: UUID | None
    updated_at: datetime
    updated_by: UUID | None
    published_at: datetime | None
    terms: tuple[ItemTerm, ...] = ()
    has_terms: bool = False
    """Whether it had any when it was read, be it the draft or what is published."""
    is_archived: bool = False
    locales: tuple[str, ...] = ()
    """Those in which there is an entry; what the caller may not read is left out where an item is shown."""
    publish_at: datetime | None = None
    unpublish_at: datetime | None = None
    stage: Stage | None = None
    """Where it is in the workflow of its type, if that has one."""
    lapsed_stage: str | None = None
    """The stage that it was in before this very write, which ended an approval."""

    @property
    def other_locales(self) -> list[str]:
        return [locale for locale in self.locales if locale != self.locale]

    def fact(self, kind: type[ContentEvent], **more: object) -> ContentEvent:
        """What has happened to the item in its locale, with what the event tells beside."""
        return kind(
            site_id=self.site_id,
            aggregate_id=self.id,
            content_type=self.content_type.key,
            slug=self.slug,
            locale=self.locale,
            item_version=self.version,
            **more,
        )

    def facts(self, kind: type[ContentEvent], locales: Iterable[str]) -> list[ContentEvent]:
        """The same in each of these locales."""
        return [replace(self, locale=locale).fact(kind) for locale in locales]

    @property
    def status(self) -> str:
        """`changed`: published, and saved since. `scheduled`: not published, and to be."""
        if self.is_archived:
            return "archived"
        if self.published_version is None:
            return "draft" if self.publish_at is None else "scheduled"
        return "published" if self.published_version == self.version else "changed"

    @property
    def etag(self) -> str:
        """Validator of the draft: its version, how often its type has rewritten it, and what of it changes without a
        new version: its terms, its times, its stage."""
        layout = self.content_type.layout
        suffix = f"{layout:x}" if layout else ""
        beside = (self.terms, self.publish_at, self.unpublish_at, self.stage and self.stage.key)
        if any(beside):
            suffix += hashlib.blake2b(repr(beside).encode(), digest_size=6).hexdigest()
        return f'"v{self.version}-{suffix}"' if suffix else f'"v{self.version}"'


class Revision(NamedTuple):
    """A version of a draft: what merging and comparing need of it."""

    data: dict[str, Any]
    slug: str
    terms: list[UUID]


class Link(NamedTuple):
    """What a field of an item points to: another item, or an asset."""

    field: str
    target: UUID
    asset: bool = False


class Target(NamedTuple):
    """What is known of an item that a relation points to."""

    type_key: str
    published: bool
    created_by: UUID | None

"""Facts about taxonomies and terms."""

from typing import ClassVar
from uuid import UUID

from scaicms.infra.events import Event


class TaxonomyEvent(Event):
    """`aggregate_id` is the taxonomy."""

    seen_with: ClassVar[str | None] = "taxonomies:read"

    key: str


class TaxonomyCreated(TaxonomyEvent):
    type: ClassVar[str] = "taxonomy.created"


class TaxonomyUpdated(TaxonomyEvent):
    type: ClassVar[str] = "taxonomy.updated"


class TaxonomyDeleted(TaxonomyEvent):
    """With it went so many `terms`."""

    type: ClassVar[str] = "taxonomy.deleted"
    terms: int


class TermEvent(Event):
    """`aggregate_id` is the term."""

    seen_with: ClassVar[str | None] = "taxonomies:read"

    taxonomy_id: UUID
    taxonomy: str
    slug: str


class TermCreated(TermEvent):
    type: ClassVar[str] = "term.created"
    parent_id: UUID | None


class TermRenamed(TermEvent):
    """Another name in some locale, or another slug."""

    type: ClassVar[str] = "term.renamed"


class TermMoved(TermEvent):
    type: ClassVar[str] = "term.moved"
    parent_id: UUID | None
    position: int


class TermMerged(TermEvent):
    """The term is gone; what had it has `into_id` now."""

    type: ClassVar[str] = "term.merged"
    into_id: UUID


class TermDeleted(TermEvent):
    """With it went so many terms `below` it."""

    type: ClassVar[str] = "term.deleted"
    below: int


ALL = (
    TaxonomyCreated,
    TaxonomyUpdated,
    TaxonomyDeleted,
    TermCreated,
    TermRenamed,
    TermMoved,
    TermMerged,
    TermDeleted,
)

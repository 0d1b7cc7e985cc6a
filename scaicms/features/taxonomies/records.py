"""A term as services pass it around."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Term:
    """`path`: ids from its root to itself."""

    id: UUID
    taxonomy_id: UUID
    parent_id: UUID | None
    slug: str
    names: Mapping[str, str]
    path: tuple[UUID, ...]
    position: int
    created_at: datetime
    updated_at: datetime

    @property
    def depth(self) -> int:
        """0 for roots."""
        return len(self.path) - 1


@dataclass(frozen=True, slots=True)
class Counts:
    """Items that have a term, and items that have it or one below it, each counted once."""

    direct: int = 0
    under: int = 0
    is_lower_bound: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """What would go with a term or taxonomy: terms, items that have one of them, and the published ones of those."""

    terms: int
    items: int
    published: int

    def __str__(self) -> str:
        return f"{self.terms} terms, which {self.items} items have, {self.published} of them published"


class ItemTerm(NamedTuple):
    """A term as an item shows it: `name` is that of the item's locale."""

    taxonomy: str
    id: UUID
    slug: str
    name: str


class Showing(NamedTuple):
    """A published document that shows some term; `id` orders them."""

    id: int
    item_id: UUID
    locale: str

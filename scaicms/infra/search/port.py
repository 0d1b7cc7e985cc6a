"""What scaiCMS asks of a search engine."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from scaicms.kit.errors import BadRequestError


@dataclass(frozen=True, slots=True)
class SearchDocument:
    """The words of one published document, heaviest first."""

    item_id: UUID
    locale: str
    site_id: UUID
    type_key: str
    version: int
    title: str
    summary: str
    body: str
    terms: str = ""


@dataclass(frozen=True, slots=True)
class SearchRule:
    """Documents that may be found: of these types, by the words of these fields (None is all), `own_only` the
    owner's."""

    type_keys: frozenset[str] | None
    fields: frozenset[str] | None
    own_only: bool


@dataclass(frozen=True, slots=True)
class SearchReach:
    """The union of rules within which a caller searches."""

    rules: tuple[SearchRule, ...]
    owner_id: UUID | None


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search in one site and locale; `reach` None is all of it. Callers with an account may cost more."""

    site_id: UUID
    locale: str
    words: str
    type_key: str | None
    limit: int
    offset: int
    highlight: bool
    reach: SearchReach | None = None
    has_account: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One found document. `highlights` are HTML-escaped texts with `<mark>` around what matched."""

    item_id: UUID
    score: float
    highlights: dict[str, str]


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Hits of one page, best first, and how many there are on all pages.

    `is_lower_bound`: more documents may match than the engine has ranked.
    """

    hits: list[Hit]
    total: int
    is_lower_bound: bool = False


class TooManyWordsError(BadRequestError):
    code, message = "too_many_words", "`q` must have at most 32 words."


class SearchBackend(Protocol):
    """An index that workers keep and everybody asks."""

    name: str

    async def replace(self, site_id: UUID, item_id: UUID, documents: list[SearchDocument]) -> None:
        """Make these the only documents of the item; none removes it. Runs in the job's transaction."""
        ...

    async def search(self, request: SearchRequest) -> SearchPage: ...

    async def count(self, site_id: UUID) -> int:
        """Documents of a site in the index."""
        ...

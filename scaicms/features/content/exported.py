"""Lines of an export, as they are taken in again."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, TypeAdapter, model_validator

from scaicms.features.content.schemas import Slug
from scaicms.features.taxonomies.schemas import CreateTaxonomy, TaxonomyKey, TermSlug, Text
from scaicms.kit.clock import utcnow
from scaicms.kit.schemas import Body

StageKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Version = Annotated[int, Field(ge=1, le=2_000_000_000)]
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
SKEW = timedelta(minutes=5)
"""How much the clock of the server that an export is of may be ahead of ours."""


def _been(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= utcnow() + SKEW:
        raise ValueError("must be a time since 1970 that has been")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_been)]
Slugs = dict[TaxonomyKey, Annotated[list[TermSlug], Field(max_length=100)]]


class TaxonomyLine(CreateTaxonomy):
    kind: Literal["taxonomy"]


class TermLine(Body):
    kind: Literal["term"]
    taxonomy: TaxonomyKey
    slug: TermSlug
    names: dict[str, Text] = Field(min_length=1)
    parent: TermSlug | None


class Published(Body):
    """What readers get of an entry; `data` None: what the draft has."""

    version: Version
    slug: Slug
    published_at: Moment
    updated_at: Moment
    updated_by: UUID | None
    data: dict[str, Any] | None
    taxonomies: Slugs

    def differs(self, draft: "Entry") -> bool:
        """Whether it has other data than the draft, although it is the same version."""
        return self.version == draft.version and self.data is not None and self.data != draft.data


class Entry(Body):
    locale: str = Field(max_length=35)
    version: Version
    updated_at: Moment
    updated_by: UUID | None
    data: dict[str, Any]
    published: Published | None


class ItemLine(Body):
    kind: Literal["item"]
    type: str = Field(max_length=63)
    id: UUID
    slug: Slug
    created_at: Moment
    created_by: UUID | None
    archived_at: Moment | None
    stage: StageKey | None
    taxonomies: Slugs
    entries: list[Entry] = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _check(self) -> Self:
        locales = [entry.locale for entry in self.entries]
        if len(set(locales)) != len(locales):
            raise ValueError("each locale is there once")
        if any(entry.published is not None and entry.published.version > entry.version for entry in self.entries):
            raise ValueError("no version is published before there is one")
        if any(entry.published is not None and entry.published.differs(entry) for entry in self.entries):
            raise ValueError("a version is published as it was saved")
        if self.archived_at is not None and any(entry.published is not None for entry in self.entries):
            raise ValueError("nothing in the archive is published")
        return self


ExportLine = TaxonomyLine | TermLine | ItemLine
EXPORT_LINE: TypeAdapter[ExportLine] = TypeAdapter(Annotated[ExportLine, Field(discriminator="kind")])

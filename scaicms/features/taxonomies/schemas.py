"""Taxonomies and terms in and out."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from scaicms.kit.schemas import Answer, Body, ListQuery, Query

MAX_DEPTH = 12
"""Levels of a tree, the roots' included."""

TaxonomyKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
TermSlug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=200)]


def _no_nul(value: str) -> str:
    # PostgreSQL's jsonb cannot hold U+0000.
    if "\0" in value:
        raise ValueError("text may not contain the character U+0000")
    return value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_no_nul)]
Description = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_no_nul)]
LocaleCode = Annotated[str, Field(max_length=35)]


class CreateTaxonomy(Body):
    key: TaxonomyKey
    name: Text
    description: Description = ""
    hierarchical: bool = Field(default=True, description="Terms may stand below others.")
    localized: bool = Field(default=False, description="Terms have a name for each locale.")


class UpdateTaxonomy(Body):
    name: Text | None = None
    description: Description | None = None
    hierarchical: bool | None = None
    localized: bool | None = None


class TaxonomyOut(Answer):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    key: str
    name: str
    description: str
    hierarchical: bool
    localized: bool
    created_at: datetime
    updated_at: datetime


class DeleteQuery(Query):
    force: bool = Field(default=False, description="Delete it although it is in use.")


class CreateTerm(Body):
    name: Text | dict[LocaleCode, Text] = Field(
        description="In the locale that `locale` names, or one for each locale of a localized taxonomy."
    )
    slug: TermSlug | None = Field(default=None, description="Made from the name when absent.")
    parent_id: UUID | None = None
    position: int | None = Field(default=None, ge=0, description="Place among its siblings, from 0; last when absent.")


class UpdateTerm(Body):
    name: Text | dict[LocaleCode, Text | None] | None = Field(
        default=None, description="Names by locale are laid over those that are there; null removes one."
    )
    slug: TermSlug | None = None


class MoveTerm(Body):
    parent_id: UUID | None = Field(default=None, description="null: to the roots; absent: among its siblings.")
    position: int | None = Field(default=None, ge=0, description="From 0; last when absent.")


class MergeTerm(Body):
    into: UUID = Field(description="The term that takes over its content and the terms below it.")


class LocaleQuery(Query):
    locale: str | None = Field(default=None, max_length=35, description="Locale of `name`; the site's default.")


class DeleteTerm(DeleteQuery):
    force: bool = Field(default=False, description="Delete it with the terms below it, and from what has it.")


class ListTerms(ListQuery):
    parent: UUID | Literal["root"] | None = Field(
        default=None, description="Only the terms directly below this one; `root`: those below none."
    )
    q: str | None = Field(default=None, min_length=1, max_length=200, description="Part of a name or slug.")
    tree: bool = Field(
        default=False, description="The terms below each as its `children`; pages count the topmost terms."
    )
    depth: int | None = Field(default=None, ge=1, le=MAX_DEPTH, description="Levels of a tree; all when absent.")
    counts: bool = Field(default=False, description="How much content has each term, for who may read all of it.")
    locale: str | None = Field(default=None, max_length=35, description="Locale of `name`; the site's default.")


class TermGiven(Answer):
    """A term as items show it; `id` or `slug` says which one it is."""

    model_config = ConfigDict(extra="forbid")

    id: UUID | None = None
    slug: str | None = Field(default=None, max_length=200)
    name: str | None = Field(default=None, description="Not looked at: what was read can be sent back.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.id is None and self.slug is None:
            raise ValueError("a term is named by its id or slug")
        return self


class TermShown(Answer):
    """A term of an item, called as in the item's locale."""

    id: UUID
    slug: str
    name: str


class TermCounts(Answer):
    """Items, each counted once: published ones, or for who may write taxonomies all outside the trash."""

    content: int = Field(description="Have this very term.")
    with_descendants: int = Field(description="Have it or one below it.")
    relation: Literal["at_least"] | None = Field(
        default=None, exclude_if=lambda value: value is None, description="`at_least`: these are lower bounds."
    )


class TermOut(Answer):
    id: UUID
    taxonomy: str
    slug: str
    name: str = Field(description="In the locale asked for, else what it falls back to.")
    names: dict[str, str] = Field(description="By locale.")
    parent_id: UUID | None
    ancestors: list[UUID] = Field(description="From the root down.")
    depth: int = Field(description="0 for roots.")
    position: int
    created_at: datetime
    updated_at: datetime
    counts: TermCounts | None = Field(default=None, description="With `counts=true`.")
    children: list["TermOut"] | None = Field(default=None, description="With `tree=true`.")
    job_ids: list[UUID] | None = Field(default=None, description="Jobs that this write handed to workers.")

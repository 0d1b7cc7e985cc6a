"""Revisions, what they differ in, and legal holds, in and out."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from scaicms.features.content.schemas import ItemOut
from scaicms.features.taxonomies.schemas import TermShown
from scaicms.kit.schemas import Answer, Body, Listed, ListQuery, Query

MAX_NUMBER = 2**31 - 1
_LOCALE = "That of the draft you get without it."


class RevisionQuery(Query):
    locale: str | None = Field(default=None, max_length=35, description=_LOCALE)


class ListRevisions(ListQuery):
    locale: str | None = Field(default=None, max_length=35, description=_LOCALE)


class DiffQuery(RevisionQuery):
    against: int | None = Field(
        default=None, ge=1, le=MAX_NUMBER, description="Number of the revision to compare with; the one before."
    )


class RestoreRevision(Body):
    fields: list[str] | None = Field(
        default=None, max_length=200, description="Keys of the fields to restore; all of `data` when absent."
    )
    taxonomies: bool | None = Field(
        default=None, description="Whether to restore the terms; by default with all fields, not with some."
    )
    slug: bool = Field(default=False, description="Whether to restore the slug.")


class RevisionSummary(Answer):
    number: int = Field(description="The item's `version` in this locale when it was saved.")
    locale: str
    kind: str = Field(description="How it came about: `created`, `saved`, `restored`, `imported`, `migrated` …")
    restored_from: int | None = None
    slug: str
    created_at: datetime
    created_by: UUID | None
    is_current: bool = Field(description="Whether it is the draft.")
    is_published: bool = Field(description="Whether it is what is published.")


class RevisionList(Listed):
    items: list[RevisionSummary]


class RevisionOut(RevisionSummary):
    data: dict[str, Any]
    taxonomies: dict[str, list[TermShown]] = Field(description="Terms by taxonomy, as they are called now.")
    lost_terms: list[UUID] = Field(description="Terms that it had and that are gone since.")


class TextPart(Answer):
    op: Literal["equal", "added", "removed"]
    text: str


class ElementChange(Answer):
    """What became of one element of a list, one component or one block."""

    op: Literal["added", "removed", "changed", "moved"]
    id: str = Field(description="Its `_id`; of relations, assets and choices the value.")
    type: str | None = Field(default=None, description="Key of the component.")
    moved: bool = False
    before: Any = None
    after: Any = None
    fields: "dict[str, FieldChange]" = Field(default_factory=dict)


class FieldChange(Answer):
    op: Literal["added", "removed", "changed"]
    before: Any = None
    after: Any = None
    text: list[TextPart] | None = Field(
        default=None, description="Inside long texts, Markdown and rich text: word by word. Null where it is too long."
    )
    elements: list[ElementChange] | None = Field(default=None, description="Inside lists, components and blocks.")


class SlugChange(Answer):
    before: str
    after: str


class TermsChange(Answer):
    before: list[TermShown]
    after: list[TermShown]


class RevisionDiff(Answer):
    """What changed from `against` to `number`; only what differs is there."""

    number: int
    against: int | None = Field(description="Null for the first revision that is kept, which is compared with nothing.")
    locale: str
    fields: dict[str, FieldChange]
    slug: SlugChange | None
    taxonomies: dict[str, TermsChange]


class PutHold(Body):
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]+$")]


class HoldOut(Answer):
    item_id: UUID
    reason: str
    created_at: datetime
    created_by: UUID | None


class RestoredOut(ItemOut):
    restored_from: int
    lost_terms: list[UUID] = Field(description="Terms of the revision that are gone since, and not restored.")

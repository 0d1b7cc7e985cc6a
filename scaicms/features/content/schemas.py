"""Items in and out."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, RootModel, StringConstraints, WithJsonSchema, model_validator

from scaicms.features.assets.schemas import AssetShown
from scaicms.features.content.past import AsOf
from scaicms.features.taxonomies.schemas import TermCounts, TermGiven, TermShown
from scaicms.kit.schemas import Answer, Body, Listed, ListQuery, PageQuery, Query, TotalRelation

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=200)]
Status = Literal["draft", "published", "changed", "scheduled", "archived"]
TermName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Terms = Annotated[list[TermName | TermGiven], Field(max_length=100)]
Taxonomies = Annotated[dict[Annotated[str, Field(max_length=63)], Terms | None], Field(max_length=50)]


class CreateItem(Body):
    type: str = Field(description="Key of the content type.", max_length=63)
    slug: Slug | None = Field(default=None, description="Made from the title when absent.")
    locale: str | None = Field(default=None, description="The site's default locale when absent.", max_length=35)
    data: dict[str, Any]
    taxonomies: Taxonomies = Field(default_factory=dict, description="Slugs or ids of terms, by taxonomy.")
    publish: bool = False


class PatchItem(Body):
    slug: Slug | None = None
    data: dict[str, Any] = Field(default_factory=dict, description="Fields to set; null removes a value.")
    taxonomies: Taxonomies | None = Field(
        default=None, description="Slugs or ids of terms, in place of those in the same taxonomies; null removes all."
    )


class PutItem(Body):
    slug: Slug | None = None
    data: dict[str, Any]
    taxonomies: Taxonomies | None = Field(
        default=None, description="Slugs or ids of all terms that the item has; they stay as they are when absent."
    )


class UnpublishedTarget(Answer):
    model_config = ConfigDict(frozen=True)

    field: str
    id: UUID


class PublishPlan(Answer):
    unpublished_targets: list[UnpublishedTarget] = Field(
        default_factory=list,
        description="Related items that are not published; the document names them until they are.",
    )


FALLBACK = (
    "Where to look when the item is not there in the locale: `default` (where the site says), `none`, or locales."
)
Fallback = Annotated[str | None, Field(max_length=1000, description=FALLBACK, examples=["default", "fr,en"])]


class ItemOut(Answer):
    """An item in one locale."""

    id: UUID
    type: str
    slug: str
    locale: str
    locales: list[str]
    status: Status
    version: int
    data: dict[str, Any]
    taxonomies: dict[str, list[TermShown]] = Field(default_factory=dict, description="Terms by taxonomy.")
    created_at: datetime
    created_by: UUID | None
    updated_at: datetime
    updated_by: UUID | None
    published_at: datetime | None
    publish_at: datetime | None = None
    unpublish_at: datetime | None = None
    fallback_fields: dict[str, str] | None = Field(
        default=None, description="Of what is published: fields taken from other locales, with the locale of each."
    )
    unpublished: list[UnpublishedTarget] | None = Field(
        default=None,
        description="Of what is published: related items that are not, and so cannot be read. It is kept up to date.",
    )
    stage: str | None = Field(default=None, description="Of a draft whose type has a workflow: its stage.")
    lapsed_stage: str | None = Field(
        default=None, description="Of a write that ended an approval: the stage that the item was in before."
    )
    plan: PublishPlan | None = None
    job_ids: list[UUID] | None = Field(default=None, description="Jobs that this write handed to workers.")


class ItemPart(Answer):
    """The members of an item that `fields=` names; null where the item has none."""

    id: UUID | None = None
    type: str | None = None
    slug: str | None = None
    locale: str | None = None
    locales: list[str] | None = None
    status: Status | None = None
    version: int | None = None
    data: dict[str, Any] | None = None
    taxonomies: dict[str, list[TermShown]] | None = None
    created_at: datetime | None = None
    created_by: UUID | None = None
    updated_at: datetime | None = None
    updated_by: UUID | None = None
    published_at: datetime | None = None
    publish_at: datetime | None = None
    unpublish_at: datetime | None = None
    fallback_fields: dict[str, str] | None = None
    unpublished: list[UnpublishedTarget] | None = None
    stage: str | None = None


Included = Annotated[
    dict[UUID, ItemOut | ItemPart | AssetShown] | None,
    Field(description="With `include=`: the published items and the assets that fields lead to, each once, by id."),
]


class ItemWithIncluded(ItemOut):
    included: Included = None


class ItemPartWithIncluded(ItemPart):
    included: Included = None


class ReadItemOut(RootModel[ItemWithIncluded | ItemPartWithIncluded]):
    """An item; with `fields=` a part of it."""


class ExplainedFilter(Answer):
    path: str
    operator: str
    index: str | None = Field(
        description="What finds it: the field's own index (`data.price`), that of all `data`, of `terms`, `id`, `slug` "
        "or `published_at`; null: every item that the rest leaves is looked at."
    )
    reason: str | None = Field(description="Why no index finds it.")
    estimated_rows: int | None = Field(description="How many it alone would leave; null where rights are narrowed.")


class ExplainedSort(Answer):
    paths: list[str]
    index: str | None
    reason: str | None


class Explained(Answer):
    filters: list[ExplainedFilter]
    sort: ExplainedSort
    indexes: list[str] | None = Field(
        description="The indexes that PostgreSQL uses for this page; null where rights are narrowed."
    )
    estimated_rows: int | None = Field(description="Null where rights are narrowed.")


class ListWindow(Answer):
    """The part of a list in which items were looked for."""

    items: int = Field(description="How many items were looked at.")
    sort: str = Field(description="They are the first in this order, of those that the indexed filters leave.")


class ItemList(Answer):
    items: list[ItemOut | ItemPart] = Field(description="Whole, or with `fields=` the members that it names.")
    total: int | None
    total_relation: TotalRelation | None = Field(
        description="`at_least`: there are more items than were counted; `estimate`: with `count=estimate`."
    )
    page: int | None = Field(description="Null where a cursor is asked with.")
    page_size: int
    next_cursor: str | None = Field(
        default=None, description="With `cursor=`: where the next page begins; null on the last one."
    )
    window: ListWindow | None = Field(
        default=None,
        description="Only where a filter or the order has no index, and the list is longer than what is looked at for "
        "one request: items beyond the window are missing.",
    )
    explain: Explained | None = Field(default=None, description="With `explain=1`.")
    included: Included = None


Include = Annotated[str, Field(max_length=1000, examples=["author,author.avatar"])]
INCLUDE = (
    "Relations to follow, up to three deep: `author,author.avatar`. What is published of their targets stands in "
    "`included`, by id."
)


FIELDS = (
    "Only these members: `id,slug,data.title`; of what is included those that are named over its relation, "
    "`data.author.data.name` with `include=author`, and all of it where none is."
)
FIELDS_EXAMPLES = ["id,data.title", "slug,data.title,data.author.data.name"]
Fields = Annotated[str | None, Field(max_length=1000, description=FIELDS, examples=FIELDS_EXAMPLES)]


class ReadItem(Query):
    status: Literal["published", "draft", "any"] | None = Field(
        default=None,
        description="`published` or `draft`; by default what is published, else the draft if you may read drafts.",
    )
    locale: str | None = Field(default=None, max_length=35)
    fallback: Fallback = None


class ReadItemAsOf(ReadItem):
    as_of: AsOf | None = None
    fields: Fields = None
    include: Include | None = Field(default=None, description=INCLUDE)

    @model_validator(mode="after")
    def _only_what_was_published(self) -> Self:
        _require_published(self.as_of, self.status)
        return self


MERGE = (
    "Where `If-Match` names an older version: merge what was changed since, field by field, instead of refusing; 412 "
    "only where fields collide."
)
Merge = Annotated[bool, Field(description=MERGE)]


class SaveItem(Query):
    locale: str | None = Field(default=None, max_length=35)
    merge: Merge = False


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class ListItems(PageQuery):
    type: str = Field(description="Key of the content type.", max_length=63)
    q: Words | None = Field(
        default=None,
        description='Items with these words in their searchable fields: `"a phrase"`, `-without`, `this or that`.',
    )
    status: Literal["published", "draft", "any", "archived"] = Field(
        default="published",
        description="`any` and `draft`: drafts outside the archive; `archived`: in it.",
    )
    locale: str | None = Field(default=None, max_length=35)
    fallback: Fallback = None
    stage: str | None = Field(default=None, max_length=63, description="Drafts in this stage of the type's workflow.")
    sort: str | None = Field(
        default=None,
        max_length=300,
        description="Fields by comma, `-` for descending: `-published_at,data.title`.",
    )
    fields: Fields = None
    include: Include | None = Field(default=None, description=INCLUDE)
    count: Literal["exact", "estimate", "none"] = Field(
        default="exact",
        description="How `total` is found: counted, guessed by the database (counted where rights are narrowed), or "
        "not at all, which is null.",
    )
    as_of: AsOf | None = None
    explain: bool = Field(default=False, description="Say by which indexes the list is found.")
    cursor: str | None = Field(
        default=None,
        max_length=7000,
        description="`next_cursor` of the page before, instead of `page`; empty for the first page.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.cursor is not None and "page" in self.model_fields_set:
            raise ValueError("give page or cursor, not both")
        return self

    @model_validator(mode="after")
    def _only_what_was_published(self) -> Self:
        _require_published(self.as_of, self.status)
        return self


def _require_published(as_of: datetime | None, status: str | None) -> None:
    """Past drafts are revisions."""
    if as_of is not None and status in ("draft", "any", "archived"):
        raise ValueError("as_of reads what was published; past drafts are at /content/{id}/revisions")


def _joined(value: Any) -> Any:
    """Names in a list as the text that a parameter holds."""
    if not isinstance(value, list):
        return value
    if not value or not all(isinstance(name, str) and name and "," not in name for name in value):
        raise ValueError("must be a list of names")
    return ",".join(value)


_NAMES_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
Names = Annotated[str, BeforeValidator(_joined), Field(max_length=1000), WithJsonSchema(_NAMES_SCHEMA)]


class QueryItems(ListItems):
    """A list's parameters as a JSON object; filters as a tree of their paths."""

    sort: Names | None = Field(default=None, description='`["-published_at", "data.title"]`, or by comma.')
    fields: Names | None = Field(
        default=None, description=f"{FIELDS} As a list or by comma.", examples=[["id", "data.author.data.name"]]
    )
    include: Names | None = Field(default=None, description=INCLUDE)
    filter: dict[str, Any] = Field(
        default_factory=dict,
        description="What must hold, all of it: a path with a value, or with operators and their values; `and` and "
        "`or` with lists of such objects, `not` with one.",
    )


class DeleteItem(Query):
    permanent: bool = Field(default=False, description="Remove for good instead of putting it into the trash.")
    force: bool = Field(default=False, description="Also where other items point to it.")


class PublishQuery(Query):
    dry_run: bool = Field(default=False, description="Answer the plan alone; change nothing.")


class ChangeContent(Body):
    content_ids: list[UUID] = Field(min_length=1, max_length=200)


class ContentChanged(Answer):
    changed: int = Field(description="Items whose drafts have changed.")
    unchanged: int
    published: int = Field(
        description="Of the changed: whose documents show it at once. Others do when next published."
    )
    job_ids: list[UUID] = Field(description="Jobs that this write handed to workers.")


class ListTermContent(ListQuery):
    descendants: bool = Field(default=False, description="Also what has a term below this one, once.")


class LinkedItem(Answer):
    id: UUID
    type: str
    slug: str
    published: bool


class LinkedItems(Listed):
    """Drafts that have the term, for who may read them; else what is published with it."""

    items: list[LinkedItem]
    counts: TermCounts


class ImportAccepted(Answer):
    job_id: UUID
    status: Literal["pending"] = "pending"

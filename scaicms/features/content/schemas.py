"""Items in and out."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from scaicms.kit.schemas import Body, PageQuery, Query

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=200)]
Status = Literal["draft", "published", "changed"]


class CreateItem(Body):
    type: str = Field(description="Key of the content type.", max_length=63)
    slug: Slug | None = Field(default=None, description="Made from the title when absent.")
    locale: str | None = Field(default=None, description="The site's default locale when absent.", max_length=35)
    data: dict[str, Any]
    publish: bool = False


class PatchItem(Body):
    slug: Slug | None = None
    data: dict[str, Any] = Field(default_factory=dict, description="Fields to set; null removes a value.")


class PutItem(Body):
    slug: Slug | None = None
    data: dict[str, Any]


class UnpublishedTarget(BaseModel):
    field: str
    id: UUID


class PublishPlan(BaseModel):
    unpublished_targets: list[UnpublishedTarget] = Field(
        default_factory=list,
        description="Related items that are not published; their links appear when they are.",
    )


class ItemOut(BaseModel):
    """An item in one locale."""

    id: UUID
    type: str
    slug: str
    locale: str
    locales: list[str]
    status: Status
    version: int
    data: dict[str, Any]
    taxonomies: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime
    created_by: UUID | None
    updated_at: datetime
    updated_by: UUID | None
    published_at: datetime | None
    publish_at: datetime | None = None
    unpublish_at: datetime | None = None
    plan: PublishPlan | None = None
    job_ids: list[UUID] | None = Field(default=None, description="Jobs that this write handed to workers.")


class ItemList(BaseModel):
    items: list[ItemOut]
    total: int | None
    page: int
    page_size: int


class ReadItem(Query):
    status: Literal["published", "draft", "any"] | None = Field(
        default=None,
        description="`published` or `draft`; by default what is published, else the draft if you may read drafts.",
    )
    locale: str | None = Field(default=None, max_length=35)


class ListItems(PageQuery):
    type: str = Field(description="Key of the content type.", max_length=63)
    status: Literal["published", "draft", "any"] = "published"
    locale: str | None = Field(default=None, max_length=35)
    sort: str | None = Field(
        default=None,
        max_length=300,
        description="Fields by comma, `-` for descending: `-published_at,data.title`.",
    )
    fields: str | None = Field(default=None, max_length=1000, description="Only these: `id,slug,data.title`.")
    count: Literal["exact", "none"] = "exact"


class DeleteItem(Query):
    permanent: bool = Field(default=False, description="Remove for good instead of putting it into the trash.")


class PublishQuery(Query):
    dry_run: bool = Field(default=False, description="Answer the plan alone; change nothing.")


class ImportAccepted(BaseModel):
    job_id: UUID
    status: Literal["pending"] = "pending"

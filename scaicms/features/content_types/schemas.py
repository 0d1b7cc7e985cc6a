"""Content types in and out."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from scaicms.features.content_types.changes import Op
from scaicms.features.content_types.fields import MAX_FIELDS, FieldDefinition, FieldKey, check_fields
from scaicms.kit.schemas import Body, Query

__all__ = ["ContentTypeOut", "CreateContentType", "FieldDefinition", "SchemaQuery", "TypesQuery", "UpdateContentType"]


def _checked(fields: tuple[FieldDefinition, ...]) -> tuple[FieldDefinition, ...]:
    check_fields(fields)
    return fields


Fields = Annotated[tuple[FieldDefinition, ...], Field(max_length=MAX_FIELDS), AfterValidator(_checked)]
UrlPattern = Annotated[str, Field(max_length=200, pattern=r"^/[A-Za-z0-9/_{}.-]*$")]


class CreateContentType(Body):
    key: FieldKey
    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2000)
    kind: Literal["collection", "single"] = "collection"
    fields: Fields
    url_pattern: UrlPattern | None = Field(
        default=None, description="Path of an item on the public site, with {slug} where its slug goes."
    )
    settings: dict[str, Any] = Field(default_factory=dict)


class UpdateContentType(Body):
    name: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=2000)
    fields: Fields | None = None
    url_pattern: UrlPattern | None = None
    settings: dict[str, Any] | None = None


class SchemaQuery(Query):
    view: Literal["draft", "published"] = Field(default="draft", description="As it is written, or as readers get it.")


class TypesQuery(SchemaQuery):
    language: Literal["typescript", "python"]


class ProposeFields(Body):
    fields: Fields


class FailingRow(BaseModel):
    """A stored row that would not fit, and why."""

    item_id: UUID
    locale: str
    row: str = Field(description="`draft` or `document`.")
    pointer: str
    code: str
    message: str


class PlannedChange(BaseModel):
    op: Op
    field: str = Field(description="The field's path: `title`, in components `body.quote.words`.")
    what: str
    destructive: bool = Field(description="Whether values are given up; a rollback brings them back.")
    rows: int = Field(description="Stored rows (drafts and documents) that hold what the change is about.")
    failing: list[FailingRow] = Field(description="The first 100 rows that would not fit.")
    failing_total: int
    lock: Literal["none", "writes"] = Field(
        description="Who waits while rows are exchanged: nobody, or who writes items of the type. Readers never do."
    )


class PlanOut(BaseModel):
    plan_id: UUID
    base_version: int
    state: Literal["planned", "applying", "applied", "failed"]
    changes: list[PlannedChange]
    rows_total: int
    rows_checked: int = Field(description="Rows that the dry run looked at; applying looks at all.")
    seconds: float = Field(description="How long applying will take, judged by the dry run.")
    created_at: datetime


class PlanApplying(BaseModel):
    plan_id: UUID
    status: str
    job_id: UUID


class VersionOut(BaseModel):
    """The fields that a type had from a moment on; `renamed_from` says what they were called before."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    version: int
    fields: tuple[FieldDefinition, ...] = Field(validation_alias="proposal")
    plan_id: UUID | None
    created_at: datetime
    created_by: UUID | None = Field(validation_alias="actor_id")


class ContentTypeOut(BaseModel):
    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    id: UUID
    key: str
    name: str
    description: str
    kind: Literal["collection", "single"]
    fields: tuple[FieldDefinition, ...] = Field(validation_alias="definitions")
    url_pattern: str | None
    settings: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime

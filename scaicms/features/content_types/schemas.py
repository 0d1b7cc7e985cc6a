"""Content types in and out."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from scaicms.features.content_types.changes import Op
from scaicms.features.content_types.fields import MAX_FIELDS, FieldDefinition, FieldKey, check_fields
from scaicms.features.content_types.workflows import Workflow
from scaicms.kit.schemas import Answer, Body, Query

__all__ = ["ContentTypeOut", "CreateContentType", "FieldDefinition", "SchemaQuery", "TypesQuery", "UpdateContentType"]


def _checked(fields: tuple[FieldDefinition, ...]) -> tuple[FieldDefinition, ...]:
    check_fields(fields)
    return fields


Fields = Annotated[tuple[FieldDefinition, ...], Field(max_length=MAX_FIELDS), AfterValidator(_checked)]
UrlPattern = Annotated[str, Field(max_length=200, pattern=r"^/[A-Za-z0-9/_{}.-]*$")]


def _own_address(key: str) -> str:
    if key == "bundle":
        raise ValueError("this is the address of the bundle of all types")
    return key


class CreateContentType(Body):
    is_slow = True

    key: Annotated[FieldKey, AfterValidator(_own_address)]
    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2000)
    kind: Literal["collection", "single"] = "collection"
    fields: Fields
    url_pattern: UrlPattern | None = Field(
        default=None, description="Path of an item on the public site, with {slug} where its slug goes."
    )
    workflow: Workflow | None = Field(default=None, description="Stages of items; without it there are none.")
    settings: dict[str, Any] = Field(default_factory=dict)


class UpdateContentType(Body):
    is_slow = True

    name: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=2000)
    fields: Fields | None = None
    url_pattern: UrlPattern | None = None
    workflow: Workflow | None = Field(default=None, description="null: none any more.")
    settings: dict[str, Any] | None = None


class SchemaQuery(Query):
    view: Literal["draft", "published"] = Field(default="draft", description="As it is written, or as readers get it.")


class TypesQuery(SchemaQuery):
    language: Literal["typescript", "python"]


class ProposeFields(Body):
    is_slow = True

    fields: Fields


class FailingRow(Answer):
    """A stored row that would not fit, and why."""

    item_id: UUID
    locale: str
    row: str = Field(description="`draft` or `document`.")
    pointer: str
    code: str
    message: str


class PlannedChange(Answer):
    op: Op
    field: str = Field(description="The field's path: `title`, in components `body.quote.words`.")
    what: str
    destructive: bool = Field(description="Whether values are given up; a rollback brings them back.")
    rows: int = Field(description="Stored rows (drafts and documents) that hold what the change is about.")
    items: int = Field(
        default=0, description="Of a field that becomes shared (`share`): items of which locales have different values."
    )
    failing: list[FailingRow] = Field(
        description="Of the first 100 rows that would not fit, those that the caller may read (`content:read_drafts`)."
    )
    failing_total: int
    lock: Literal["none", "writes"] = Field(
        description="Who waits while rows are exchanged: nobody, or who writes items of the type. Readers never do."
    )


class PlanOut(Answer):
    plan_id: UUID
    base_version: int
    state: Literal["planned", "applying", "applied", "failed"]
    changes: list[PlannedChange]
    locales: list[str] = Field(
        default_factory=list,
        description="Where the value of a field that becomes shared is taken from: the first of these that has one.",
    )
    rows_total: int
    rows_checked: int = Field(description="Rows that the dry run looked at; applying looks at all.")
    seconds: float = Field(description="How long applying will take, judged by the dry run.")
    created_at: datetime


class PlanApplying(Answer):
    plan_id: UUID
    status: str
    job_id: UUID


class VersionOut(Answer):
    """The fields that a type had from a moment on; `renamed_from` says what they were called before."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    version: int
    fields: tuple[FieldDefinition, ...] = Field(validation_alias="proposal")
    plan_id: UUID | None
    created_at: datetime
    created_by: UUID | None = Field(validation_alias="actor_id")


class BundleQuery(Query):
    parts: str | None = Field(default=None, max_length=200, description="Only these: `content_types,roles`.")


class DryRun(Query):
    dry_run: bool = Field(default=False, description="Answer what would change; change nothing.")


class Bundle(Answer):
    """Configuration of a site: a list of entries for each part, by its name."""

    model_config = ConfigDict(extra="allow")

    version: Literal[1] = 1
    left_out: list[str] = Field(default_factory=list, description="Parts that who asked for the bundle may not read.")


class BundleDrift(Answer):
    part: str
    key: str
    op: Literal["create", "update", "extra"] = Field(description="`extra`: the site has it and the bundle does not.")
    changes: list[str] = Field(description="Members that differ.")
    hindrances: list[str] = Field(description="Why it cannot be changed at once.")
    notes: list[str] = Field(default_factory=list, description="What is left to do by hand: secrets are in no bundle.")


class BundleOut(Answer):
    dry_run: bool
    drift: list[BundleDrift] = Field(description="How the site differed from the bundle.")


class ContentTypeOut(Answer):
    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    id: UUID
    key: str
    name: str
    description: str
    kind: Literal["collection", "single"]
    fields: tuple[FieldDefinition, ...] = Field(validation_alias="definitions")
    url_pattern: str | None
    workflow: Workflow | None
    settings: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime

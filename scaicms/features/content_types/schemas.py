"""Content types in and out."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

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

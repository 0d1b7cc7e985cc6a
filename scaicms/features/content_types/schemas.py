"""Content types in and out."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scaicms.features.content_types.fields import FieldDefinition, FieldKey
from scaicms.kit.schemas import Body

__all__ = ["ContentTypeOut", "CreateContentType", "FieldDefinition", "UpdateContentType"]

MAX_FIELDS = 200
Fields = Annotated[tuple[FieldDefinition, ...], Field(max_length=MAX_FIELDS)]
UrlPattern = Annotated[str, Field(max_length=200, pattern=r"^/[A-Za-z0-9/_{}.-]*$")]


def _unique_keys(fields: tuple[FieldDefinition, ...]) -> None:
    keys = [field.key for field in fields]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"field keys given twice: {', '.join(twice)}")


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

    @model_validator(mode="after")
    def _check(self) -> Self:
        _unique_keys(self.fields)
        return self


class UpdateContentType(Body):
    name: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=2000)
    fields: Fields | None = None
    url_pattern: UrlPattern | None = None
    settings: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.fields is not None:
            _unique_keys(self.fields)
        return self


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

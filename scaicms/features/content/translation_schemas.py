"""Translations in and out."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from scaicms.features.content.schemas import Merge, Status
from scaicms.kit.schemas import Answer, Body, Listed, ListQuery, Query

_SHARED = "A field that is not localized is shared: it changes in every locale."


class SaveTranslation(Query):
    merge: Merge = False


class PatchTranslation(Body):
    data: dict[str, Any] = Field(description=f"Fields to set; null removes a value. {_SHARED}")


class PutTranslation(Body):
    data: dict[str, Any] = Field(
        description=f"All localized fields: those that are absent are removed. {_SHARED} Absent ones stay."
    )


class Translation(Answer):
    """How an item stands in one locale of the site."""

    locale: str
    exists: bool = Field(description="Whether there is a draft in the locale.")
    status: Status | None
    version: int | None
    updated_at: datetime | None
    updated_by: UUID | None
    published_at: datetime | None
    source: str | None = Field(
        description="What it is compared with: the first locale it falls back to in which the item has a draft."
    )
    missing: list[str] = Field(description="Localized fields that the source has and this locale has not.")
    outdated: list[str] = Field(
        description="Localized fields that were changed in the source since they were last written here."
    )


class Translations(Answer):
    items: list[Translation]
    total: int


class ListMissing(ListQuery):
    locale: str = Field(description="The locale to translate into.", max_length=35)
    type: str | None = Field(default=None, description="Key of a content type; all types when absent.", max_length=63)


class MissingTranslation(Answer):
    """An item that has work for a translator."""

    id: UUID
    type: str
    slug: str
    reason: Literal["missing", "outdated"] = Field(
        description="No draft in the locale, or what is published of the source was written later."
    )
    source: str = Field(description="The locale to translate from.")
    source_version: int
    published: bool = Field(description="Whether the source is published.")
    version: int | None = Field(description="The version of the draft that is outdated.")


class MissingTranslations(Listed):
    items: list[MissingTranslation]

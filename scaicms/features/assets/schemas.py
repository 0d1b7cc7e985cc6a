"""Assets in and out."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from scaicms.kit.schemas import Answer, Body, ListQuery, Query

MAX_TAGS = 50
MIME_PATTERN = r"^(\*|[a-z]+)/(\*|[A-Za-z0-9.+_-]{1,100})$"

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _printable(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("text may not contain control characters")
    return value


def _folder(value: str) -> str:
    parts = [part.strip() for part in value.split("/") if part.strip()]
    if any(part in (".", "..") for part in parts):
        raise ValueError("a folder is a path of names: photos/2026")
    return "/".join(parts)


Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000), AfterValidator(_printable)
]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_printable)]
Folder = Annotated[str, Field(max_length=200), AfterValidator(_printable), AfterValidator(_folder)]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(lambda tags: list(dict.fromkeys(tags)))]
LocaleCode = Annotated[str, Field(max_length=35)]
ByLocale = Text | dict[LocaleCode, Text | None]


class FocalPoint(Body):
    """What must be seen whatever is cut off, from the left and top as shares of width and height."""

    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class NewAsset(Body):
    """What the form of an upload says beside the file."""

    title: Text | None = None
    alt: Text | None = None
    folder: Folder = ""
    tags: Tags = Field(default_factory=list)


class UpdateAsset(Body):
    title: ByLocale | None = Field(
        default=None, description="In the locale that `locale` names, or by locale; null removes one."
    )
    alt: ByLocale | None = Field(default=None, description="What a picture shows, in the same way.")
    folder: Folder | None = None
    tags: Tags | None = Field(default=None, description="In place of those that are there.")
    focal_point: FocalPoint | None = Field(default=None, description="null: none any more.")


class LocaleQuery(Query):
    locale: str | None = Field(
        default=None, max_length=35, description="Locale of `title` and `alt`; the site's default."
    )


class DeleteQuery(Query):
    force: bool = Field(default=False, description="Delete it although it is in use.")


class FileQuery(Query):
    variant: str | None = Field(default=None, max_length=20, description="Name of a variant instead of the file.")
    v: str | None = Field(
        default=None, max_length=64, description="Version of the file, as `url` names it: then it may be kept for ever."
    )


Sort = Literal["created_at", "-created_at", "updated_at", "-updated_at", "filename", "-filename", "size", "-size"]


class ListAssets(ListQuery):
    q: str | None = Field(default=None, min_length=1, max_length=200, description="Part of a name, title, alt or tag.")
    type: str | None = Field(default=None, pattern=MIME_PATTERN, description="`image/png` or `image/*`.")
    folder: Folder | None = Field(default=None, description="In this folder or below it.")
    tag: Tag | None = Field(default=None, description="Has this tag.")
    unused: bool | None = Field(
        default=None, description="true: no draft and nothing published uses it; false: something does."
    )
    status: Literal["processing", "ready", "failed"] | None = None
    sort: Sort = "-created_at"
    locale: str | None = Field(
        default=None, max_length=35, description="Locale of `title` and `alt`; the site's default."
    )


class VariantOut(Answer):
    name: str
    content_type: str
    width: int
    height: int
    size: int
    url: str


class AssetOut(Answer):
    id: UUID
    filename: str
    title: str | None = Field(description="In the locale asked for, else what it falls back to.")
    alt: str | None = Field(description="The same.")
    titles: dict[str, str] = Field(description="By locale.")
    alts: dict[str, str]
    folder: str
    tags: list[str]
    status: Literal["processing", "ready", "failed"]
    problem: str | None = Field(description="Why a file could not be read.")
    content_type: str | None = Field(description="By what is in the file; null until that is known.")
    size: int
    width: int | None
    height: int | None
    blurhash: str | None
    color: str | None = Field(description="The dominant one.")
    exif: dict[str, Any] = Field(description="How a picture was taken; never where.")
    focal_point: FocalPoint | None
    variants: list[VariantOut]
    url: str
    version: int
    created_at: datetime
    created_by: UUID | None
    updated_at: datetime
    updated_by: UUID | None


class AssetShown(Answer):
    """An asset as items show it."""

    id: UUID
    url: str
    filename: str
    content_type: str | None
    status: Literal["processing", "ready", "failed"]
    size: int
    width: int | None
    height: int | None
    alt: str | None
    title: str | None
    blurhash: str | None
    color: str | None
    focal_point: FocalPoint | None
    variants: list[VariantOut]


class AssetAccepted(AssetOut):
    job_id: UUID | None = Field(description="What reads the file; that of earlier where the bytes are known.")

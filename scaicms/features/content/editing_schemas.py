"""What editors send and get beside single items."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Discriminator, Field, Tag

from scaicms.features.content.schemas import CreateItem, ItemOut, Slug, Status, Taxonomies
from scaicms.kit.schemas import TAG, Body, ListQuery, Query

MAX_OPERATIONS = 100
Locale = Annotated[str, Field(max_length=35)]
Locales = Annotated[list[Locale], Field(min_length=1, max_length=100, description="All of the item when absent.")]
Version = Annotated[int, Field(ge=1, le=2_000_000_000, description="Refuse (412) where the draft has another version.")]


class CreateOperation(CreateItem):
    op: Literal["create"]


class UpdateOperation(Body):
    op: Literal["update"]
    id: UUID
    locale: Locale | None = None
    slug: Slug | None = None
    data: dict[str, Any] = Field(default_factory=dict, description="Fields to set; null removes a value.")
    replace: bool = Field(default=False, description="Put `data` in the place of all of it, as PUT does.")
    taxonomies: Taxonomies | None = None
    version: Version | None = None
    merge: bool = Field(
        default=False, description="Merge with what was changed since `version`, where nothing collides."
    )


class PublishOperation(Body):
    op: Literal["publish"]
    id: UUID
    locales: Locales | None = None
    version: Version | None = None


class UnpublishOperation(Body):
    op: Literal["unpublish"]
    id: UUID
    locales: Locales | None = None


class DeleteOperation(Body):
    op: Literal["delete"]
    id: UUID
    permanent: bool = False
    force: bool = Field(default=False, description="Also where other items point to it.")
    version: Version | None = None


def _tag(value: Any) -> str | None:
    op = value.get("op") if isinstance(value, dict) else getattr(value, "op", None)
    return TAG + op if isinstance(op, str) else None


Operation = Annotated[
    Annotated[CreateOperation, Tag(TAG + "create")]
    | Annotated[UpdateOperation, Tag(TAG + "update")]
    | Annotated[PublishOperation, Tag(TAG + "publish")]
    | Annotated[UnpublishOperation, Tag(TAG + "unpublish")]
    | Annotated[DeleteOperation, Tag(TAG + "delete")],
    Discriminator(
        _tag,
        custom_error_type="unknown_operation",
        custom_error_message="must be an object with op one of create, update, publish, unpublish, delete",
    ),
]


class BulkBody(Body):
    operations: list[Operation] = Field(min_length=1, max_length=MAX_OPERATIONS, description="In this order.")
    atomic: bool = Field(
        default=False, description="All or none, in one transaction; else each operation stands for itself."
    )


class BulkResult(BaseModel):
    """What became of one operation."""

    op: str
    status: int = Field(description="The HTTP status that the operation would have had by itself.")
    item: ItemOut | None = Field(default=None, description="The item as it is now; absent after a delete.")
    detail: dict[str, Any] | None = Field(
        default=None, description="What went wrong, as in any error; pointers begin with `/operations/N`."
    )


class BulkOut(BaseModel):
    results: list[BulkResult] = Field(description="In the order of the operations.")
    succeeded: int
    failed: int


class ListTrash(ListQuery):
    type: str | None = Field(default=None, max_length=63, description="Only items of this content type.")


class TrashedItem(BaseModel):
    id: UUID
    type: str
    slug: str
    locales: list[str]
    created_at: datetime
    created_by: UUID | None
    deleted_at: datetime
    deleted_by: UUID | None
    purge_at: datetime | None = Field(description="When it is removed for good; null: never.")


class RestoreItem(Body):
    slug: Slug | None = Field(default=None, description="Another slug, where its own is taken.")


class DuplicateQuery(Query):
    locale: Locale | None = Field(default=None, description="The only locale to copy; all when absent.")


class LocaleQuery(Query):
    locale: Locale | None = Field(default=None, description="The locale it is about; the site's default when absent.")


class DuplicateItem(Body):
    slug: Slug | None = Field(default=None, description="The original's with a number when absent.")
    data: dict[str, Any] = Field(default_factory=dict, description="Fields in which the copy is otherwise.")


class Duplication(BaseModel):
    """In what a copy is not the original."""

    of: UUID
    emptied: list[str] = Field(description="Unique fields that have no value now.")
    suffixed: list[str] = Field(description="Unique fields that must have a value, and have one with a suffix.")
    left_out: list[str] = Field(description="Fields that the caller may not write.")
    left_out_locales: list[str] = Field(default_factory=list, description="Locales that the caller may not write.")


class DuplicatedOut(ItemOut):
    duplicate: Duplication


class PreviewOut(BaseModel):
    token: str = Field(description="Goes into the Authorization header, never into a URL.")
    url: str = Field(description="Where the token opens the draft.")
    expires_at: datetime


class LinkingItem(BaseModel):
    id: UUID
    type: str
    slug: str
    fields: list[str] = Field(description="Fields of its draft that point here, or have components that do.")
    published: bool = Field(description="Whether readers get it, in any locale.")
    status: Status = Field(description="As that of an item, of all of its locales together.")


class ExportQuery(Query):
    type: str | None = Field(default=None, max_length=63, description="Only items of this content type.")
    status: Literal["any", "draft", "published", "archived"] = Field(
        default="any", description="`published`: of which readers get anything; `draft`: of which they get nothing."
    )
    locale: Locale | None = Field(default=None, description="Only this locale of items.")

"""Publishing, schedules and releases in and out."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from scaicms.features.content.schemas import ItemOut
from scaicms.kit.schemas import Answer, Body, Listed, ListQuery, Moment, QueryMoment

Action = Literal["publish", "unpublish"]
ScheduleState = Literal["pending", "done", "failed", "cancelled"]
Locale = Annotated[str, Field(min_length=1, max_length=35)]


Locales = Annotated[list[Locale], Field(min_length=1, max_length=100)]


class UnpublishItem(Body):
    locales: Locales | None = Field(default=None, description="All locales of the item when absent.")
    at: Moment | None = Field(default=None, description="A time to come at which to do it; now when absent.")


class PublishItem(UnpublishItem):
    with_targets: bool = Field(
        default=False,
        description="Also publish what it points to, and what that points to, where that is not published and you may; "
        "at most 100 items. What stays unpublished is in `plan`. Not with `at`: make a release.",
    )

    @field_validator("with_targets")
    @classmethod
    def _is_for_now(cls, with_targets: bool, about: ValidationInfo) -> bool:
        if with_targets and about.data.get("at") is not None:
            raise ValueError("is for now; for a time, put all of them into a release")
        return with_targets


class MoveItem(Body):
    stage: str = Field(max_length=63, description="Key of a stage of the type's workflow.")
    comment: str | None = Field(default=None, max_length=2000, description="Kept with the event `content.moved`.")


class PublishedItem(ItemOut):
    """The item as it is now."""

    schedule_id: UUID | None = Field(default=None, description="With `at`: what to cancel if it shall not happen.")


class ListSchedule(ListQuery):
    item: UUID | None = Field(default=None, description="Id of an item.")
    state: ScheduleState | None = None
    since: QueryMoment | None = Field(default=None, alias="from", description="Due from this time on (RFC 3339).")
    until: QueryMoment | None = Field(default=None, alias="to", description="Due before this time (RFC 3339).")


class ScheduledOut(Answer):
    """Something that is to happen to an item, or has happened, at a time."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    item_id: UUID
    type: str
    slug: str
    locales: list[str] | None = Field(description="null: all that the item has then.")
    action: Action
    due_at: datetime
    state: ScheduleState
    done_at: datetime | None
    late_by: float | None = Field(description="Seconds from `due_at` to `done_at`.")
    error: str | None = Field(description="Why it failed.")
    release_id: UUID | None = Field(description="The release that it is done with.")
    job_id: UUID
    created_at: datetime
    created_by: UUID | None


class SchedulePage(Listed):
    items: list[ScheduledOut]


class ReleaseItem(Body):
    id: UUID
    locale: Locale | None = Field(default=None, description="All locales that the item has then, when absent.")
    action: Action = "publish"


ReleaseItems = Annotated[list[ReleaseItem], Field(min_length=1, max_length=100)]
ReleaseName = Annotated[str, Field(min_length=1, max_length=200)]


class CreateRelease(Body):
    name: ReleaseName
    items: ReleaseItems
    at: Moment | None = Field(default=None, description="A time to come at which to do all of it.")


class UpdateRelease(Body):
    name: ReleaseName | None = None
    items: ReleaseItems | None = Field(default=None, description="In place of those that it has.")
    at: Moment | None = Field(default=None, description="null: not at a time.")


class ReleaseProblem(Answer):
    pointer: str = Field(description="`/items/2`: the third item.")
    code: str
    message: str


class ReleaseOut(Answer):
    """Items that are published and unpublished together, all or none."""

    id: UUID
    name: str
    version: int
    state: Literal["open", "scheduled", "done", "failed"]
    items: list[ReleaseItem]
    at: datetime | None
    done_at: datetime | None
    late_by: float | None = Field(description="Seconds from `at` to `done_at`, where it was done at its time.")
    errors: list[ReleaseProblem] = Field(description="Why nothing of it was done when it was due.")
    created_at: datetime
    created_by: UUID | None
    updated_at: datetime
    job_ids: list[UUID] | None = Field(default=None, description="Jobs that this write handed to workers.")


class ReleasePage(Listed):
    items: list[ReleaseOut]

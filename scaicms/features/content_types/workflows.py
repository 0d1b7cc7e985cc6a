"""Workflows: the stages that items of a type go through, and who moves them where."""

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scaicms.features.content_types.fields import FieldKey
from scaicms.kit.errors import FieldError

MAX_STAGES = 20


class Stage(BaseModel):
    """Who may move items here: who has one of the roles, or the permission; with neither, who may change the item."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: FieldKey
    name: str = Field(min_length=1, max_length=200)
    roles: Annotated[tuple[Annotated[str, Field(max_length=63)], ...], Field(max_length=20)] = Field(
        default=(), description="Keys of roles whose holders may move items here."
    )
    permission: str | None = Field(
        default=None, max_length=100, description="Whose holders may move items here: `content:publish`."
    )
    publishable: bool = Field(default=False, description="Whether items may be published in this stage.")


class Workflow(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=MAX_STAGES)]
    initial: FieldKey = Field(description="The stage of new items.")
    approval_lapses: bool = Field(
        default=True,
        description="Whether an item goes back to an earlier stage when somebody changes it who may not move it to the "
        "stage that it is in.",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        keys = [stage.key for stage in self.stages]
        if len(set(keys)) < len(keys):
            raise ValueError("each stage needs a key of its own")
        if self.initial not in keys:
            raise ValueError("initial must be the key of a stage")
        return self

    def find(self, key: str) -> Stage | None:
        return next((stage for stage in self.stages if stage.key == key), None)

    def stage_of(self, stored: str | None) -> Stage:
        """The stage of an item; what has none, or one that there is no more, counts as new."""
        found = self.find(stored) if stored is not None else None
        return found or next(stage for stage in self.stages if stage.key == self.initial)

    def errors(self, unknown_roles: set[str], unknown_permissions: set[str]) -> Iterator[FieldError]:
        """What stages name that there is not."""
        for number, stage in enumerate(self.stages):
            pointer = f"/workflow/stages/{number}"
            for place, role in enumerate(stage.roles):
                if role in unknown_roles:
                    yield FieldError(f"{pointer}/roles/{place}", "unknown_role", f"There is no role {role}.")
            if stage.permission in unknown_permissions:
                message = f"There is no permission {stage.permission}."
                yield FieldError(f"{pointer}/permission", "unknown_permission", message)

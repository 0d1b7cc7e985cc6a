"""Groups in and out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from scaicms.features.roles.schemas import AssignmentOut
from scaicms.kit.schemas import Answer, Body, ListQuery

GroupKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class CreateGroup(Body):
    key: GroupKey | None = Field(default=None, description="Made from the name when absent.")
    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2000)


class UpdateGroup(Body):
    name: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=2000)


class GroupOut(Answer):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    key: str
    name: str
    description: str
    created_at: datetime
    updated_at: datetime
    members: int = 0
    roles: list[AssignmentOut] = Field(default_factory=list)


class ListGroups(ListQuery):
    q: str | None = Field(default=None, max_length=200, description="Part of the name or key.")


class AddMembers(Body):
    user_ids: list[UUID] = Field(min_length=1, max_length=1000)


class MemberOut(Answer):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    name: str
    is_active: bool
    joined_at: datetime

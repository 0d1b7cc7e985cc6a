"""Roles in and out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints

from scaicms.kit.schemas import Body

RoleKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class CreateRole(Body):
    key: RoleKey
    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2000)


class UpdateRole(Body):
    name: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=2000)


class RoleOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    key: str
    name: str
    description: str
    built_in: bool
    created_at: datetime
    updated_at: datetime


class Grant(Body):
    permission: str = Field(max_length=100, description="A permission's code; `*` is all of them.")


class GrantList(RootModel[Annotated[list[Grant], Field(max_length=500)]]):
    """Grants of a role."""


class GrantOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    permission: str


class GrantPage(BaseModel):
    items: list[GrantOut]
    total: int


class Assignment(Body):
    role: str = Field(max_length=63, description="Key or id of a role.")
    site_id: UUID | None = Field(default=None, description="Where; everywhere when absent.")


class AssignRoles(RootModel[Annotated[list[Assignment], Field(max_length=200)]]):
    """The roles of a user, all of them."""


class AssignmentOut(BaseModel):
    role: str
    site_id: UUID | None


class AssignmentPage(BaseModel):
    items: list[AssignmentOut]
    total: int

"""Roles in and out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, RootModel, StringConstraints

from scaicms.kit.principal import Narrowing
from scaicms.kit.schemas import Answer, Body


def _bound(keys: list[str] | None) -> frozenset[str] | None:
    return None if keys is None else frozenset(keys)


RoleKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class CreateRole(Body):
    key: RoleKey
    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2000)


class UpdateRole(Body):
    name: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=2000)


class RoleOut(Answer):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    key: str
    name: str
    description: str
    built_in: bool
    created_at: datetime
    updated_at: datetime


Bounds = Annotated[list[Annotated[str, Field(min_length=1, max_length=63)]], Field(min_length=1, max_length=200)]


class Grant(Body):
    permission: str = Field(max_length=100, description="A permission's code; `*` is all of them.")
    content_types: Bounds | None = Field(default=None, description="Only items of these types; any when absent.")
    locales: Bounds | None = Field(default=None, description="Only in these locales; any when absent.")
    fields: Bounds | None = Field(default=None, description="Only these fields of `data`; all when absent.")
    own_only: bool = Field(default=False, description="Only items that the holder has created.")

    @property
    def narrowing(self) -> Narrowing:
        return Narrowing(_bound(self.content_types), _bound(self.locales), _bound(self.fields), self.own_only)


class GrantList(RootModel[Annotated[list[Grant], Field(max_length=500)]]):
    """Grants of a role."""


class GrantOut(Answer):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    permission: str
    content_types: list[str] | None
    locales: list[str] | None
    fields: list[str] | None
    own_only: bool


class GrantPage(Answer):
    items: list[GrantOut]
    total: int


class Assignment(Body):
    role: str = Field(max_length=63, description="Key or id of a role.")
    site_id: UUID | None = Field(default=None, description="Where; everywhere when absent.")


class AssignRoles(RootModel[Annotated[list[Assignment], Field(max_length=200)]]):
    """The roles of a user or group, all of them."""


class AssignmentOut(Answer):
    role: str
    site_id: UUID | None


class AssignmentPage(Answer):
    items: list[AssignmentOut]
    total: int

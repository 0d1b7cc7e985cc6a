"""Permissions, and questions about authority, in and out."""

from typing import Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from scaicms.kit.principal import Narrowing
from scaicms.kit.schemas import Answer, Body, Query


class PermissionOut(Answer):
    """`bounds`: what a grant of it can be narrowed by."""

    code: str
    resource: str
    action: str
    description: str
    scope: Literal["global", "site"]
    bounds: list[str]


class PermissionList(Answer):
    items: list[PermissionOut]
    total: int


class EffectiveQuery(Query):
    user_id: UUID | None = Field(default=None, description="Whose; the caller's own when absent.")
    site_id: UUID | None = Field(default=None, description="Where; at every site when absent.")


class BoundsOut(Answer):
    """Null is no bound."""

    content_types: list[str] | None
    locales: list[str] | None
    fields: list[str] | None
    own_only: bool

    @classmethod
    def of(cls, narrowing: Narrowing) -> Self:
        lists = (narrowing.content_types, narrowing.locales, narrowing.fields)
        types, locales, names = (sorted(keys) if keys is not None else None for keys in lists)
        return cls(content_types=types, locales=locales, fields=names, own_only=narrowing.own_only)


class EffectiveOut(Answer):
    """`site_id` null: held everywhere. `bounds` null: without any; else the union of them is what is held."""

    permission: str
    site_id: UUID | None
    bounds: list[BoundsOut] | None


class EffectiveList(Answer):
    items: list[EffectiveOut]
    total: int


class SubjectIn(Body):
    kind: Literal["user", "api_key", "anonymous"] = "user"
    id: UUID | None = Field(default=None, description="Of the user or key.")

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.id is None) != (self.kind == "anonymous"):
            raise ValueError("a user or key is named by its id, anonymous callers have none")
        return self


class TargetIn(Body):
    """What it would be done to. Whatever is left out is asked about some, not about all: some item, some locale."""

    site_id: UUID | None = None
    content_id: UUID | None = Field(default=None, description="An item; says type, locale and owner by itself.")
    content_type: str | None = Field(default=None, max_length=63)
    locale: str | None = Field(default=None, max_length=35)
    field: str | None = Field(default=None, max_length=63)
    own: bool | None = Field(default=None, description="Whether it is the principal's own.")


class Explain(Body):
    principal: SubjectIn
    action: str = Field(max_length=100, description="A permission's code.")
    target: TargetIn = Field(default_factory=TargetIn)


class ReasonOut(Answer):
    """One rule and what it came to. `role`, `group_id` and `bounds` say which grant it is."""

    effect: Literal["allows", "does_not_reach", "denies", "limits"]
    message: str
    role: str | None = None
    group_id: UUID | None = None
    site_id: UUID | None = None
    permission: str | None = None
    bounds: BoundsOut | None = None


class Explanation(Answer):
    allowed: bool
    because: list[ReasonOut]

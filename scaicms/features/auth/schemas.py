"""Logging in, and oneself, in and out."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from scaicms.features.users.schemas import Name, Password, UserOut
from scaicms.web.call import Body


class Login(Body):
    email: str = Field(max_length=320)
    password: str = Field(max_length=1024)


class Refresh(Body):
    refresh_token: str = Field(max_length=200)


class TokenPair(BaseModel):
    """`expires_in` and `refresh_expires_in` are seconds."""

    access_token: str
    refresh_token: str
    token_type: str = "bearer"  # noqa: S105 - the type of the token (RFC 6750), not a token
    expires_in: int
    refresh_expires_in: int
    user: UserOut


class RoleAtSite(BaseModel):
    role: str
    site_id: UUID | None


class EffectivePermissions(BaseModel):
    everywhere: list[str]
    by_site: dict[UUID, list[str]]


class Profile(UserOut):
    roles: list[RoleAtSite]
    permissions: EffectivePermissions


class UpdateProfile(Body):
    name: Name


class ChangePassword(Body):
    current_password: str = Field(max_length=1024)
    new_password: Password


class RequestReset(Body):
    email: str = Field(max_length=320)


class ResetAccepted(BaseModel):
    """Says nothing about the account."""

    status: Literal["accepted"] = "accepted"


class ConfirmReset(Body):
    token: str = Field(max_length=200, description="From the link in the mail.")
    password: Password


class SessionOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip: str
    user_agent: str
    current: bool = Field(default=False, description="Whether it is the one that asks.")


class SessionList(BaseModel):
    items: list[SessionOut]
    total: int

"""Users in and out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from scaicms.features.roles.schemas import Assignment, AssignmentOut
from scaicms.kit.emails import normalise_email
from scaicms.kit.passwords import MAX_BYTES, MIN_BYTES
from scaicms.kit.schemas import Answer, Body, ListQuery


def _check_length(password: str) -> str:
    if not MIN_BYTES <= len(password.encode()) <= MAX_BYTES:
        raise ValueError(f"a password has {MIN_BYTES} to {MAX_BYTES} bytes")
    return password


Email = Annotated[str, Field(max_length=320), AfterValidator(normalise_email)]
Password = Annotated[str, AfterValidator(_check_length)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class CreateUser(Body):
    email: Email
    name: Name
    password: Password
    is_active: bool = True


class UpdateUser(Body):
    email: Email | None = None
    name: Name | None = None
    password: Password | None = None
    is_active: bool | None = None
    current_password: str | None = Field(
        default=None,
        max_length=1024,
        description="Needed to change the e-mail address or password of one's own account.",
    )


class UserOut(Answer):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    name: str
    is_active: bool
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None


class UserRole(Answer):
    """A role that a user has; `site_id` null: everywhere; `group_id` null: given in person."""

    role: str
    site_id: UUID | None
    group_id: UUID | None


class UserGroup(Answer):
    id: UUID
    key: str
    name: str


class UserDetail(UserOut):
    roles: list[UserRole] = Field(default_factory=list)
    groups: list[UserGroup] = Field(default_factory=list)


class ListUsers(ListQuery):
    q: str | None = Field(default=None, max_length=200, description="Part of the name or address.")
    is_active: bool | None = None
    role: str | None = Field(
        default=None, max_length=63, description="Key or id of a role that they have, in person or through a group."
    )
    group: str | None = Field(default=None, max_length=63, description="Key or id of a group that they are in.")


class Invite(Body):
    email: Email
    name: Name | None = Field(default=None, description="As the invitation greets them; they choose their own.")
    roles: list[Assignment] = Field(default=[], max_length=200)


class InvitationOut(Answer):
    """An invitation that a worker mails; the account is inactive until it is accepted."""

    id: UUID
    user_id: UUID
    email: str
    roles: list[AssignmentOut]
    expires_at: datetime
    job_id: UUID


class AcceptInvitation(Body):
    token: str = Field(max_length=200, description="From the link in the mail.")
    name: Name
    password: Password

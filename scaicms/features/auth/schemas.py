"""Logging in, and oneself, in and out."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from scaicms.features.users.schemas import Name, Password, UserOut
from scaicms.kit.schemas import Answer, Body, Query


class Login(Body):
    email: str = Field(max_length=320)
    password: str = Field(max_length=1024)
    otp: str | None = Field(
        default=None, max_length=64, description="A code from the authenticator or a recovery code, if one is needed."
    )


class Refresh(Body):
    refresh_token: str = Field(max_length=200)


class TokenPair(Answer):
    """`expires_in` and `refresh_expires_in` are seconds."""

    access_token: str
    refresh_token: str
    token_type: str = "bearer"  # noqa: S105 - the type of the token (RFC 6750), not a token
    expires_in: int
    refresh_expires_in: int
    user: UserOut


class RoleAtSite(Answer):
    role: str
    site_id: UUID | None


class EffectivePermissions(Answer):
    everywhere: list[str]
    by_site: dict[UUID, list[str]]


class Profile(UserOut):
    roles: list[RoleAtSite]
    permissions: EffectivePermissions
    totp_enabled: bool


class UpdateProfile(Body):
    name: Name


class ChangePassword(Body):
    current_password: str = Field(max_length=1024)
    new_password: Password


class RequestReset(Body):
    email: str = Field(max_length=320)


class ResetAccepted(Answer):
    """Says nothing about the account."""

    status: Literal["accepted"] = "accepted"


class ConfirmReset(Body):
    token: str = Field(max_length=200, description="From the link in the mail.")
    password: Password


class TotpSecret(Answer):
    """`secret` is base32; `uri` (`otpauth://…`) is the same for a QR code."""

    secret: str
    uri: str


class ConfirmTotp(Body):
    otp: str = Field(max_length=64, description="A code from the authenticator.")


class RecoveryCodes(Answer):
    recovery_codes: list[str]


class ProvePassword(Body):
    password: str | None = Field(
        default=None, max_length=1024, description="The current password. Accounts of a provider may have none."
    )


class OidcProviderOut(Answer):
    key: str
    name: str


class OidcProviderList(Answer):
    items: list[OidcProviderOut]
    total: int


class OidcCallback(Query):
    """What providers send people back with; they add parameters of their own, which mean nothing here."""

    model_config = ConfigDict(extra="ignore")

    code: str | None = Field(default=None, max_length=2048, description="The authorization code.")
    state: str | None = Field(default=None, max_length=200, description="As the login began.")
    iss: str | None = Field(default=None, max_length=300, description="The issuer (RFC 9207).")
    error: str | None = Field(default=None, max_length=200, description="Why there is no code.")


class SessionOut(Answer):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip: str
    user_agent: str
    current: bool = Field(default=False, description="Whether it is the one that asks.")


class SessionList(Answer):
    items: list[SessionOut]
    total: int

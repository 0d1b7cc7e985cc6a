"""API keys in and out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, IPvAnyNetwork

from scaicms.kit.schemas import Answer, Body, Moment

DEFAULT_RATE = 600


def _is_text(network: object) -> object:
    """Python takes numbers and truth values as networks too."""
    if not isinstance(network, str):
        raise ValueError("a network is a text such as 192.0.2.0/24")  # noqa: TRY004 - what pydantic takes for a refusal
    return network


Networks = Annotated[
    list[Annotated[IPvAnyNetwork, BeforeValidator(_is_text)]],
    Field(
        min_length=1,
        max_length=100,
        description="Only from these networks (CIDR) and addresses; from anywhere when absent.",
    ),
]
Codes = Annotated[list[Annotated[str, Field(max_length=100)]], Field(min_length=1, max_length=200)]
Sites = Annotated[list[UUID], Field(max_length=200, description="Only there; anywhere when absent.")]
Rate = Annotated[int, Field(ge=1, le=1_000_000, description="Requests a minute.")]


class CreateApiKey(Body):
    name: str = Field(min_length=1, max_length=200)
    permissions: Codes
    site_ids: Sites | None = None
    expires_at: Moment | None = None
    allowed_ips: Networks | None = None
    rate_limit: Rate = DEFAULT_RATE


class UpdateApiKey(Body):
    name: str | None = Field(default=None, min_length=1, max_length=200)
    permissions: Codes | None = None
    site_ids: Sites | None = None
    expires_at: Moment | None = None
    allowed_ips: Networks | None = None
    rate_limit: Rate | None = None


class RotateApiKey(Body):
    grace_seconds: int = Field(
        default=0, ge=0, le=30 * 24 * 3600, description="How long the key before works beside the new one."
    )


class ApiKeyOut(Answer):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    prefix: str
    permissions: list[str]
    site_ids: list[UUID] | None
    allowed_ips: list[str] | None
    rate_limit: int
    owner_id: UUID
    expires_at: datetime | None
    revoked_at: datetime | None
    previous_until: datetime | None = Field(description="Until when the key before the last rotation works.")
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None = Field(description="Written every few seconds.")
    requests_24h: int = Field(default=0, description="Written every few seconds.")


class CreatedApiKey(ApiKeyOut):
    key: str = Field(default="", description="The key itself. It is shown this once and stored nowhere.")

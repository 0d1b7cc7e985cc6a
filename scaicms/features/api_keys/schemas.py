"""API keys in and out."""

from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from scaicms.kit.schemas import Body


class CreateApiKey(Body):
    name: str = Field(min_length=1, max_length=200)
    permissions: list[str] = Field(min_length=1, max_length=200)
    site_ids: list[UUID] | None = Field(default=None, max_length=200, description="Only there; anywhere when absent.")
    expires_at: AwareDatetime | None = None


class UpdateApiKey(Body):
    name: str | None = Field(default=None, min_length=1, max_length=200)
    expires_at: AwareDatetime | None = None


class ApiKeyOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    prefix: str
    permissions: list[str]
    site_ids: list[UUID] | None
    owner_id: UUID
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    updated_at: datetime


class CreatedApiKey(ApiKeyOut):
    key: str = Field(default="", description="The key itself. It is shown this once and stored nowhere.")

"""Facts about API keys."""

from typing import ClassVar

from scaicms.infra.events import Event


class ApiKeyCreated(Event):
    type: ClassVar[str] = "api_key.created"
    prefix: str


class ApiKeyUpdated(Event):
    type: ClassVar[str] = "api_key.updated"
    prefix: str


class ApiKeyRevoked(Event):
    type: ClassVar[str] = "api_key.revoked"
    prefix: str


ALL = (ApiKeyCreated, ApiKeyUpdated, ApiKeyRevoked)

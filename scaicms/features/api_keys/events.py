"""Facts about API keys."""

from typing import ClassVar

from scaicms.infra.events import Event


class ApiKeyCreated(Event):
    type: ClassVar[str] = "api_key.created"
    prefix: str


class ApiKeyUpdated(Event):
    type: ClassVar[str] = "api_key.updated"
    prefix: str
    changed: tuple[str, ...] = ()


class ApiKeyRotated(Event):
    """`prefix` is the new key's; the old one works `grace_seconds` longer."""

    type: ClassVar[str] = "api_key.rotated"
    prefix: str
    grace_seconds: int


class ApiKeyRevoked(Event):
    type: ClassVar[str] = "api_key.revoked"
    prefix: str


ALL = (ApiKeyCreated, ApiKeyUpdated, ApiKeyRotated, ApiKeyRevoked)

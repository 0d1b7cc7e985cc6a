"""Secrets and values of headers: made here, sealed at rest, opened where something is signed and sent."""

import base64
import secrets
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from scaicms.features.webhooks.models import WebhookRow
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.crypto import derive_key, seal, unseal

PREFIX = "whsec_"
SECRET_BYTES = 32
MASK = "***"


class SealBrokenError(Exception):
    """What is stored does not open: the secret of the installation is another than it was."""


class WebhookVault(Service):
    """Knows the key under which webhooks keep what is secret."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._key = derive_key(services.resources.settings.secret.get_secret_value(), "webhooks")

    def seal_secret(self, webhook_id: UUID, secret: str) -> bytes:
        return seal(self._key, secret.encode(), f"secret:{webhook_id}")

    def seal_headers(self, webhook_id: UUID, headers: Mapping[str, str]) -> bytes | None:
        return seal(self._key, json.dumps(dict(headers)), f"headers:{webhook_id}") if headers else None

    def secrets_of(self, row: WebhookRow, now: datetime) -> list[str]:
        """What signs at this moment, the newest first.

        Raises:
            SealBrokenError: they cannot be read any more; a rotation makes new ones.
        """
        sealed = [row.sealed_secret]
        if row.previous_secret is not None and row.previous_until is not None and row.previous_until > now:
            sealed.append(row.previous_secret)
        return [self._open(one, f"secret:{row.id}").decode() for one in sealed]

    def headers_of(self, row: WebhookRow) -> dict[str, str]:
        """Headers with their values.

        Raises:
            SealBrokenError: they cannot be read any more; a change of them stores new ones.
        """
        if row.sealed_headers is None:
            return {}
        headers: dict[str, str] = json.loads(self._open(row.sealed_headers, f"headers:{row.id}"))
        return headers

    def header_names(self, row: WebhookRow) -> list[str]:
        """All that is shown of headers; nothing when they cannot be read."""
        try:
            return sorted(self.headers_of(row))
        except SealBrokenError:
            return []

    def _open(self, sealed: bytes, context: str) -> bytes:
        opened = unseal(self._key, sealed, context)
        if opened is None:
            raise SealBrokenError("what is sealed does not open: SCAICMS_SECRET has changed")
        return opened


def new_secret() -> str:
    """As Standard Webhooks 1.0 writes them: `whsec_` and 24 to 64 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()

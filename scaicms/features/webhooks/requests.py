"""The request of one delivery: headers, signature and body; and what must not appear in the answer to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from asyncpg import Record
from standardwebhooks import Webhook

from scaicms.features.webhooks import leaving
from scaicms.features.webhooks.models import WebhookRow
from scaicms.features.webhooks.vault import MASK, PREFIX, WebhookVault
from scaicms.kit.clock import utcnow
from scaicms.kit.ids import new_id

SHORTEST_SECRET = 6


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that can be sent once its attempt has been written down."""

    attempt_id: UUID
    delivery_id: UUID
    webhook: WebhookRow
    step: int
    is_test: bool
    body: bytes
    headers: Mapping[str, str] = field(repr=False)
    shown: dict[str, str] = field(repr=False)
    """The headers without secrets."""
    secrets: tuple[str, ...] = field(repr=False)


def prepare(vault: WebhookVault, delivery: Record, webhook: WebhookRow) -> Prepared:
    """Sign the delivery for this moment.

    Raises:
        SealBrokenError: the secret or the headers of the webhook cannot be read any more.
    """
    now = utcnow()
    body = leaving.body_of(delivery)
    message_id, signing = str(delivery["event_id"]), vault.secrets_of(webhook, now)
    own, text = vault.headers_of(webhook), body.decode()
    ours = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, now, text) for secret in signing),
    }
    headers = {**own, **ours}
    return Prepared(
        attempt_id=new_id(),
        delivery_id=delivery["id"],
        webhook=webhook,
        step=delivery["step"],
        is_test=delivery["is_test"],
        body=body,
        headers=headers,
        shown={name: MASK if name in own else value for name, value in headers.items()},
        secrets=_words([*signing, *own.values()]),
    )


def _words(secrets: Iterable[str]) -> tuple[str, ...]:
    """What must not be found in answers, the longest first: keys and values, and the words of values (`Bearer …`). What
    is shorter is found everywhere and keeps no secret."""
    bare = [secret.removeprefix(PREFIX) for secret in secrets]
    words = {word for secret in bare for word in (secret, *secret.split()) if len(word) >= SHORTEST_SECRET}
    return tuple(sorted(words, key=len, reverse=True))

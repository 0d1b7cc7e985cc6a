"""Facts about webhooks."""

from typing import ClassVar

from scaicms.infra.events import Event


class WebhookEvent(Event):
    """`aggregate_id` is the webhook."""

    name: str


class WebhookCreated(WebhookEvent):
    type: ClassVar[str] = "webhook.created"


class WebhookUpdated(WebhookEvent):
    """`changed` names members, `headers` among them; never their values."""

    type: ClassVar[str] = "webhook.updated"
    changed: tuple[str, ...]


class WebhookDeleted(WebhookEvent):
    type: ClassVar[str] = "webhook.deleted"


class WebhookSecretRotated(WebhookEvent):
    """The old secret signs beside the new one for `grace_seconds`."""

    type: ClassVar[str] = "webhook.secret_rotated"
    grace_seconds: int


class WebhookDisabled(WebhookEvent):
    """It gets nothing more. `reason`: `gone` (it answered 410) or `failing` (for five days)."""

    type: ClassVar[str] = "webhook.disabled"
    reason: str


class WebhookTested(WebhookEvent):
    type: ClassVar[str] = "webhook.tested"


class WebhookReplayed(WebhookEvent):
    """Somebody asked for what happened between two times once more."""

    type: ClassVar[str] = "webhook.replayed"
    since: str
    until: str


class WebhookReplayFailed(WebhookEvent):
    """A replay ended before all of its deliveries were promised."""

    type: ClassVar[str] = "webhook.replay_failed"
    since: str
    until: str
    error: str


class WebhookRedelivered(WebhookEvent):
    """Somebody asked for one delivery once more."""

    type: ClassVar[str] = "webhook.redelivered"
    delivery: str


ALL = (
    WebhookCreated,
    WebhookUpdated,
    WebhookDeleted,
    WebhookSecretRotated,
    WebhookDisabled,
    WebhookTested,
    WebhookReplayed,
    WebhookReplayFailed,
    WebhookRedelivered,
)

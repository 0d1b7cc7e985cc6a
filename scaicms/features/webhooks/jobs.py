"""Sending, replaying, telling owners, tidying up. Payloads name rows; secrets stay where they are."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from scaicms.infra.jobs import Job, JobPayload

Reason = Literal["gone", "failing"]


class DeliverPayload(JobPayload):
    """What is to be sent, once; the outcome says whether another job will try again."""

    delivery_id: UUID


DELIVER = Job("webhooks.deliver", "webhooks", DeliverPayload, atomic=False)


def delivery_key(delivery_id: UUID) -> str:
    """No delivery has two jobs that wait."""
    return f"delivery:{delivery_id}"


class ReplayPayload(JobPayload):
    """Which of the past events shall be delivered once more."""

    webhook_id: UUID
    since: datetime
    until: datetime


# Below deliveries, which they would keep waiting.
REPLAY = Job("webhooks.replay", "webhooks", ReplayPayload, atomic=False, priority=-1)


class DisabledPayload(JobPayload):
    """Whose webhook was disabled, and why."""

    webhook_id: UUID
    user_id: UUID
    reason: Reason


TELL_DISABLED = Job("webhooks.tell_disabled", "default", DisabledPayload, atomic=False)


class ForgetPayload(JobPayload):
    """The webhook that is no more, whose deliveries shall go."""

    webhook_id: UUID


FORGET = Job("webhooks.forget", "default", ForgetPayload, atomic=False)


class PrunePayload(JobPayload):
    """Nothing to say: the settings tell what is past its time."""


PRUNE_DELIVERIES = Job("webhooks.prune", "default", PrunePayload, atomic=False)

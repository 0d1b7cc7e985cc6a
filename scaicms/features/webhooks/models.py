"""Webhooks, what was sent to them, and each attempt at it."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.models import Model


class WebhookRow(Model):
    """One receiver. Secrets and the values of headers are sealed.

    `owner_kind` and `owner_id`: with whose rights it reads; whoever last said what it gets and where it goes.
    `failing_since`: when the first of the failures came that no success has followed.
    """

    id = fields.UUIDField(primary_key=True)
    site_id = fields.UUIDField()
    name = fields.CharField(max_length=200)
    url = fields.CharField(max_length=2000)
    events = ArrayField(element_type="TEXT")
    content_types = ArrayField(element_type="TEXT", null=True)
    is_active = fields.BooleanField()
    disabled_reason = fields.CharField(max_length=20, null=True)
    failing_since = fields.DatetimeField(null=True)
    sealed_secret = fields.BinaryField()
    previous_secret = fields.BinaryField(null=True)
    previous_until = fields.DatetimeField(null=True)
    sealed_headers = fields.BinaryField(null=True)
    owner_kind = fields.CharField(max_length=20)
    owner_id = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    updated_at = fields.DatetimeField()

    class Meta:
        table = "webhooks"
        unique_together = (("site_id", "name"),)


class DeliveryRow(Model):
    """One event for one webhook, frozen when the event was committed. `event_id` is the id of the message.

    `step` is its place in the schedule: how often it has failed since it was last asked for.
    """

    id = fields.UUIDField(primary_key=True)
    webhook_id = fields.UUIDField()
    site_id = fields.UUIDField()
    event_id = fields.UUIDField()
    event_type = fields.CharField(max_length=100)
    event_version = fields.SmallIntField()
    occurred_at = fields.DatetimeField()
    payload: object = fields.JSONField()
    is_test = fields.BooleanField(default=False)
    state = fields.CharField(max_length=10, default="pending")
    reason = fields.TextField(null=True)
    attempts = fields.SmallIntField(default=0)
    step = fields.SmallIntField(default=0)
    next_at = fields.DatetimeField(null=True)
    job_id = fields.UUIDField()
    created_at = fields.DatetimeField()
    finished_at = fields.DatetimeField(null=True)

    class Meta:
        table = "webhook_deliveries"
        unique_together = (("webhook_id", "event_id"),)
        indexes = (Index(fields=("webhook_id", "id")), Index(fields=("created_at",)))


class AttemptRow(Model):
    """One request. It is written before anything is sent, so that one whose worker dies is not forgotten."""

    id = fields.UUIDField(primary_key=True)
    delivery_id = fields.UUIDField()
    number = fields.SmallIntField()
    url = fields.CharField(max_length=2000)
    started_at = fields.DatetimeField()
    finished_at = fields.DatetimeField(null=True)
    latency_ms = fields.FloatField(null=True)
    status = fields.SmallIntField(null=True)
    error = fields.TextField(null=True)
    request_headers: object = fields.JSONField(null=True)
    response_headers: object = fields.JSONField(null=True)
    response_body = fields.BinaryField(null=True)
    response_truncated = fields.BooleanField(default=False)

    class Meta:
        table = "webhook_attempts"
        unique_together = (("delivery_id", "number"),)

"""The append-only log of facts."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class EventRow(Model):
    """One fact. `seq` orders them as they were written; `payload` is frozen."""

    seq = fields.BigIntField(primary_key=True)
    id = fields.UUIDField(unique=True)
    site_id = fields.UUIDField(null=True)
    type = fields.CharField(max_length=100)
    version = fields.SmallIntField()
    aggregate_id = fields.UUIDField()
    payload: object = fields.JSONField()
    actor_kind = fields.CharField(max_length=20)
    actor_id = fields.UUIDField(null=True)
    occurred_at = fields.DatetimeField()

    class Meta:
        table = "events"
        indexes = (Index(fields=("site_id", "seq")), Index(fields=("aggregate_id", "seq")))

"""The append-only log of facts."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class EventRow(Model):
    """One fact. `seq` orders them as they were written; `payload` is frozen.

    `ip` and `request_id` say where it came from. `position` and `hash` link it into the chain that shows tampering:
    they are the only columns that are ever written later, once (`chain.py`). The column `xid` (its transaction,
    xid8) is added by the migration.
    """

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
    ip = fields.CharField(max_length=64, null=True)
    request_id = fields.CharField(max_length=64, null=True)
    position = fields.BigIntField(null=True, unique=True)
    hash = fields.BinaryField(null=True)

    class Meta:
        table = "events"
        indexes = (
            Index(fields=("site_id", "seq")),
            Index(fields=("aggregate_id", "seq")),
            Index(fields=("actor_id", "seq")),
        )


class HeldEventRow(Model):
    """An event that retention has taken out of the chain, of a thing that is on legal hold."""

    seq = fields.BigIntField(primary_key=True)
    id = fields.UUIDField()
    site_id = fields.UUIDField(null=True)
    type = fields.CharField(max_length=100)
    version = fields.SmallIntField()
    aggregate_id = fields.UUIDField()
    payload: object = fields.JSONField()
    actor_kind = fields.CharField(max_length=20)
    actor_id = fields.UUIDField(null=True)
    occurred_at = fields.DatetimeField()
    ip = fields.CharField(max_length=64, null=True)
    request_id = fields.CharField(max_length=64, null=True)
    position = fields.BigIntField(null=True)
    hash = fields.BinaryField(null=True)

    class Meta:
        table = "held_events"
        indexes = (Index(fields=("aggregate_id", "seq")),)


class EventCutRow(Model):
    """The newest events of a site that retention has removed: a reader of the feed who stands before them missed some.

    `last_seq` is the last of them in the order of the chain, `max_seq` the greatest `seq` among them.
    """

    site_id = fields.UUIDField(primary_key=True)
    last_seq = fields.BigIntField()
    max_seq = fields.BigIntField()
    occurred_at = fields.DatetimeField()

    class Meta:
        table = "event_cuts"


class EventChainRow(Model):
    """The two ends of the chain, in the only row: `anchor` is what retention has cut off, `head` the last link."""

    id = fields.SmallIntField(primary_key=True)
    anchor_position = fields.BigIntField(default=0)
    anchor_hash = fields.BinaryField()
    head_position = fields.BigIntField(default=0)
    head_hash = fields.BinaryField()

    class Meta:
        table = "event_chain"

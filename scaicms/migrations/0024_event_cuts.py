"""What retention has removed of the events of a site, and events of things on legal hold."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0023_webhook_line")]

    initial = False

    operations = [
        ops.CreateModel(
            name="EventCutRow",
            fields=[
                ("site_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("last_seq", fields.BigIntField()),
                ("max_seq", fields.BigIntField()),
                ("occurred_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "event_cuts",
                "app": "scaicms",
                "pk_attr": "site_id",
                "table_description": "The newest events of a site that retention has removed: a reader of the feed who stands before them missed some.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="HeldEventRow",
            fields=[
                ("seq", fields.BigIntField(primary_key=True, unique=True, db_index=True)),
                ("id", fields.UUIDField()),
                ("site_id", fields.UUIDField(null=True)),
                ("type", fields.CharField(max_length=100)),
                ("version", fields.SmallIntField()),
                ("aggregate_id", fields.UUIDField()),
                ("payload", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("actor_kind", fields.CharField(max_length=20)),
                ("actor_id", fields.UUIDField(null=True)),
                ("occurred_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ip", fields.CharField(null=True, max_length=64)),
                ("request_id", fields.CharField(null=True, max_length=64)),
                ("position", fields.BigIntField(null=True)),
                ("hash", fields.BinaryField(null=True)),
            ],
            options={
                "table": "held_events",
                "app": "scaicms",
                "indexes": [Index(fields=["aggregate_id", "seq"])],
                "pk_attr": "seq",
                "table_description": "An event that retention has taken out of the chain, of a thing that is on legal hold.",
            },
            bases=["Model"],
        ),
    ]

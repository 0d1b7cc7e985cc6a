"""Webhooks, their deliveries and attempts; ids made in SQL; the events of a site in the order of the chain."""

from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

FORWARD = [
    # As `kit.ids.new_id`: RFC 9562 §5.7. PostgreSQL has one of its own since 18; this works with 15.
    """CREATE FUNCTION time_id() RETURNS uuid LANGUAGE sql VOLATILE AS
       $$ SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
            PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
            FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid $$""",
    # What the feed reads. Rows come into it when they are linked, not when they are written.
    "CREATE INDEX events_told ON events (site_id, position) WHERE position IS NOT NULL",
    # What waits is looked through once an hour for what nobody works on any more.
    "CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (created_at) WHERE state = 'pending'",
]
BACKWARD = ["DROP INDEX webhook_deliveries_pending", "DROP INDEX events_told", "DROP FUNCTION time_id()"]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0016_due_schedules")]

    operations = [
        ops.CreateModel(
            name="AttemptRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("delivery_id", fields.UUIDField()),
                ("number", fields.SmallIntField()),
                ("url", fields.CharField(max_length=2000)),
                ("started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("finished_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("latency_ms", fields.FloatField(null=True)),
                ("status", fields.SmallIntField(null=True)),
                ("error", fields.TextField(null=True, unique=False)),
                ("request_headers", fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
                ("response_headers", fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
                ("response_body", fields.BinaryField(null=True)),
                ("response_truncated", fields.BooleanField(default=False)),
            ],
            options={
                "table": "webhook_attempts",
                "app": "scaicms",
                "unique_together": (("delivery_id", "number"),),
                "pk_attr": "id",
                "table_description": "One request. It is written before anything is sent, so that one whose worker dies is not forgotten.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DeliveryRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("webhook_id", fields.UUIDField()),
                ("site_id", fields.UUIDField()),
                ("event_id", fields.UUIDField()),
                ("event_type", fields.CharField(max_length=100)),
                ("event_version", fields.SmallIntField()),
                ("occurred_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("payload", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("is_test", fields.BooleanField(default=False)),
                ("state", fields.CharField(default="pending", max_length=10)),
                ("reason", fields.TextField(null=True, unique=False)),
                ("attempts", fields.SmallIntField(default=0)),
                ("step", fields.SmallIntField(default=0)),
                ("next_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("job_id", fields.UUIDField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("finished_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "webhook_deliveries",
                "app": "scaicms",
                "unique_together": (("webhook_id", "event_id"),),
                "indexes": [Index(fields=["webhook_id", "id"]), Index(fields=["created_at"])],
                "pk_attr": "id",
                "table_description": "One event for one webhook, frozen when the event was committed. `event_id` is the id of the message.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WebhookRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("site_id", fields.UUIDField()),
                ("name", fields.CharField(max_length=200)),
                ("url", fields.CharField(max_length=2000)),
                ("events", ArrayField(element_type="TEXT")),
                ("content_types", ArrayField(null=True, element_type="TEXT")),
                ("is_active", fields.BooleanField()),
                ("disabled_reason", fields.CharField(null=True, max_length=20)),
                ("failing_since", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("sealed_secret", fields.BinaryField()),
                ("previous_secret", fields.BinaryField(null=True)),
                ("previous_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("sealed_headers", fields.BinaryField(null=True)),
                ("owner_kind", fields.CharField(max_length=20)),
                ("owner_id", fields.UUIDField(null=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("created_by", fields.UUIDField(null=True)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "webhooks",
                "app": "scaicms",
                "unique_together": (("site_id", "name"),),
                "pk_attr": "id",
                "table_description": "One receiver. Secrets and the values of headers are sealed.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD),
    ]

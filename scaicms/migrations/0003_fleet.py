"""Turns between sites, schedules, pauses."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

NO_SITE = "'00000000-0000-0000-0000-000000000000'::uuid"
FORWARD = [
    # A claim walks from site to site through this index and takes the head of each.
    f"""CREATE INDEX jobs_turns ON jobs (queue, (coalesce(site_id, {NO_SITE})), priority DESC, run_at)
          WHERE state = 'pending' AND lease_until IS NULL""",
    # What runs: few rows, looked at by every sweep and every look at the figures.
    "CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 'pending' AND lease_until IS NOT NULL",
    "DROP INDEX jobs_pending, jobs_created",
    # The newest of a queue tell its rates: nobody counts the whole of it.
    "CREATE INDEX jobs_promised ON jobs (queue, created_at)",
]
BACKWARD = [
    "DROP INDEX jobs_turns, jobs_leased, jobs_promised",
    "CREATE INDEX jobs_pending ON jobs (queue, priority DESC, run_at) WHERE state = 'pending'",
    "CREATE INDEX jobs_created ON jobs (created_at)",
]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0002_indexes")]

    operations = [
        ops.CreateModel(
            name="ScheduleRow",
            fields=[
                ("name", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=100)),
                ("every_seconds", fields.IntField()),
                ("next_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("last_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "schedules",
                "app": "scaicms",
                "pk_attr": "name",
                "table_description": "When periodic work is next due. Whoever moves `next_at` on promises the job in the same transaction.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="QueuePauseRow",
            fields=[
                ("queue", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=20)),
                ("paused_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "queue_pauses",
                "app": "scaicms",
                "pk_attr": "queue",
                "table_description": "A queue from which nobody takes work; jobs go on being promised.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD),
    ]

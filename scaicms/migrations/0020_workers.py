"""Signs of life of workers, and the row that lets one worker at a time sweep."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0019_login_networks")]

    operations = [
        ops.CreateModel(
            name="SweeperRow",
            fields=[
                ("id", fields.SmallIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("holder", fields.CharField(null=True, max_length=100)),
                ("lease_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("swept_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("steady_since", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "sweeper",
                "app": "scaicms",
                "pk_attr": "id",
                "table_description": "The only row: who sweeps now, until when at most, and when a sweep ended last.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WorkerRow",
            fields=[
                ("name", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=100)),
                ("started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("beat_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("session_pid", fields.IntField()),
            ],
            options={
                "table": "workers",
                "app": "scaicms",
                "pk_attr": "name",
                "table_description": "A worker process and its last sign of life. `session_pid` is the server's process of the session that wrote it.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="JobRow",
            name="outages",
            field=fields.SmallIntField(default=0, db_default=0),
        ),
        ops.RunSQL(
            sql="INSERT INTO sweeper (id, steady_since) VALUES (1, clock_timestamp())",
            reverse_sql="DELETE FROM sweeper",
        ),
    ]

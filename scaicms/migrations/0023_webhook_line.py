"""The line of deliveries that wait for a turn of their webhook, by the time from which they wait."""

from tortoise import migrations
from tortoise.migrations import operations as ops

FORWARD = [
    "CREATE INDEX webhook_deliveries_line ON webhook_deliveries (webhook_id, next_at, id) WHERE state = 'pending'"
]
BACKWARD = ["DROP INDEX webhook_deliveries_line"]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0022_session_methods")]

    operations = [ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD)]

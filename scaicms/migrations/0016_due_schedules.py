"""What is scheduled and not done yet, by its time: what metrics ask for at every scrape."""

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0015_one_round_trip")]

    operations = [
        ops.RunSQL(
            sql="CREATE INDEX content_schedule_due ON content_schedule (due_at) WHERE state = 'pending'",
            reverse_sql="DROP INDEX content_schedule_due",
        )
    ]

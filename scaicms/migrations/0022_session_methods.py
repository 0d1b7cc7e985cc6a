"""How a session began: by a password, or by an OpenID provider."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0021_bounded_reads")]

    initial = False

    operations = [
        # A default of the database: there are sessions, and processes of the release before do not write the column.
        ops.AddField(
            model_name="SessionRow",
            name="method",
            field=fields.CharField(default="password", db_default="password", max_length=40),
        ),
    ]

"""How a session began: by a password, or by an OpenID provider."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0021_bounded_reads")]

    initial = False

    operations = [
        ops.AddField(model_name="SessionRow", name="method", field=fields.CharField(default="password", max_length=40)),
        # Processes of the release before do not write the column.
        ops.RunSQL(
            "ALTER TABLE sessions ALTER COLUMN method SET DEFAULT 'password'",
            "ALTER TABLE sessions ALTER COLUMN method DROP DEFAULT",
        ),
    ]

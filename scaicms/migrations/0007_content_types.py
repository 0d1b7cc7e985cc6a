"""How often a content type's stored data was rewritten."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0005_authority")]

    operations = [
        ops.AddField(model_name="ContentTypeRow", name="layout", field=fields.IntField(default=0)),
    ]

"""The archive, and who put what into the trash."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0012_document_counts")]

    operations = [
        ops.AddField(
            model_name="ItemRow",
            name="archived_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(model_name="ItemRow", name="deleted_by", field=fields.UUIDField(null=True)),
        ops.AlterModelOptions(
            name="ItemRow",
            options={
                "table": "items",
                "app": "scaicms",
                "indexes": [Index(fields=["site_id", "type_id", "id"])],
                "pk_attr": "id",
                "table_description": "Identity of one item of one site. `deleted_at` set: it lies in the trash; `archived_at`: in the archive.",
            },
        ),
        ops.RunSQL(
            sql="CREATE INDEX items_trash ON items (deleted_at) WHERE deleted_at IS NOT NULL",
            reverse_sql="DROP INDEX items_trash",
        ),
    ]

"""Assets, their files, and which drafts and documents use them."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

FORWARD = [
    "ALTER TABLE assets ADD CONSTRAINT assets_site FOREIGN KEY (site_id) REFERENCES sites ON DELETE CASCADE",
    "ALTER TABLE assets ADD CONSTRAINT assets_file FOREIGN KEY (file_id) REFERENCES asset_files",
    # What is included of assets is delivered: as terms, they tell of their changes by themselves. A new one is in no
    # answer yet.
    """CREATE TRIGGER assets_told_on_update AFTER UPDATE ON assets REFERENCING NEW TABLE AS after
         FOR EACH STATEMENT EXECUTE FUNCTION tell_of_delivered()""",
    """CREATE TRIGGER assets_told_on_delete AFTER DELETE ON assets REFERENCING OLD TABLE AS before
         FOR EACH STATEMENT EXECUTE FUNCTION tell_of_delivered()""",
    """CREATE FUNCTION tell_of_file() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         PERFORM tell('delivered', NEW.site_id::text);
         RETURN NULL;
       END $$""",
    """CREATE TRIGGER asset_files_told_on_update AFTER UPDATE OF status ON asset_files
         FOR EACH ROW EXECUTE FUNCTION tell_of_file()""",
    # The built-in roles of installations that have them already.
    """INSERT INTO role_grants (id, role_id, permission, own_only)
         SELECT gen_random_uuid(), r.id, p.code, r.key = 'author' AND p.code IN ('assets:update', 'assets:delete')
         FROM roles r
         CROSS JOIN (VALUES ('assets:read'), ('assets:create'), ('assets:update'), ('assets:delete')) AS p(code)
         WHERE r.built_in AND (r.key IN ('editor', 'author') OR r.key = 'viewer' AND p.code = 'assets:read')""",
]
BACKWARD = [
    "DELETE FROM role_grants WHERE permission LIKE 'assets:%'",
    "DROP TRIGGER asset_files_told_on_update ON asset_files",
    "DROP FUNCTION tell_of_file",
    "DROP TRIGGER assets_told_on_delete ON assets",
    "DROP TRIGGER assets_told_on_update ON assets",
    "ALTER TABLE assets DROP CONSTRAINT assets_file, DROP CONSTRAINT assets_site",
]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0017_webhooks")]

    operations = [
        ops.CreateModel(
            name="AssetFileRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("site_id", fields.UUIDField()),
                ("digest", fields.CharField(max_length=64)),
                ("size", fields.BigIntField()),
                ("raster_type", fields.CharField(null=True, max_length=100)),
                ("content_type", fields.CharField(null=True, max_length=130)),
                ("status", fields.CharField(max_length=10)),
                ("problem", fields.CharField(null=True, max_length=300)),
                ("attempts", fields.SmallIntField(default=0)),
                ("width", fields.IntField(null=True)),
                ("height", fields.IntField(null=True)),
                ("blurhash", fields.CharField(null=True, max_length=100)),
                ("color", fields.CharField(null=True, max_length=7)),
                ("exif", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("variants", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("job_id", fields.UUIDField(null=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "asset_files",
                "app": "scaicms",
                "unique_together": (("site_id", "digest"),),
                "pk_attr": "id",
                "table_description": "Bytes of a site, stored once whatever many assets have them, and what a worker has found them to be.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AssetRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("site_id", fields.UUIDField()),
                ("file_id", fields.UUIDField(db_index=True)),
                ("filename", fields.CharField(max_length=255)),
                ("titles", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("alts", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("folder", fields.CharField(default="", max_length=200)),
                ("tags", ArrayField(element_type="TEXT")),
                ("focal_x", fields.FloatField(null=True)),
                ("focal_y", fields.FloatField(null=True)),
                ("version", fields.IntField(default=1)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("created_by", fields.UUIDField(null=True)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_by", fields.UUIDField(null=True)),
            ],
            options={
                "table": "assets",
                "app": "scaicms",
                "indexes": [Index(fields=["site_id", "id"])],
                "pk_attr": "id",
                "table_description": "One asset: a file, and what is said of it in each locale. `version` counts changes of the latter.",
            },
            bases=["Model"],
        ),
        ops.AlterModelOptions(
            name="DocumentLinkRow",
            options={
                "table": "document_links",
                "app": "scaicms",
                "indexes": [Index(fields=["item_id", "locale"]), Index(fields=["target_id", "id"])],
                "pk_attr": "id",
                "table_description": "What a published document points to: one row for each item, or `asset`, that readers see. Gone with it.",
            },
        ),
        ops.AddField(
            model_name="DocumentLinkRow", name="asset", field=fields.BooleanField(default=False, db_default=False)
        ),
        ops.AlterModelOptions(
            name="ReferenceRow",
            options={
                "table": "content_references",
                "app": "scaicms",
                "indexes": [Index(fields=["target_id"]), Index(fields=["item_id"])],
                "pk_attr": "id",
                "table_description": "Who points to what: one row for each item, or `asset`, in a draft. Everybody may ask what uses a thing.",
            },
        ),
        ops.AddField(
            model_name="ReferenceRow", name="asset", field=fields.BooleanField(default=False, db_default=False)
        ),
        ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD),
    ]

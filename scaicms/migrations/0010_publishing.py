"""What is scheduled for items, alone or in releases; what published documents point to;
stages of items.
"""

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


FORWARD = [
    # What drafts point to is the best that is known of documents that were published before.
    """INSERT INTO document_links (item_id, locale, field, target_id)
       SELECT d.item_id, d.locale, r.field, r.target_id FROM documents d JOIN content_references r USING (item_id)
       WHERE d.data ? r.field""",
    """ALTER TABLE document_links ADD CONSTRAINT document_links_document FOREIGN KEY (item_id, locale)
         REFERENCES documents (item_id, locale) ON DELETE CASCADE""",
]
BACKWARD = ["ALTER TABLE document_links DROP CONSTRAINT document_links_document"]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0009_translations")]

    operations = [
        ops.CreateModel(
            name="ScheduledRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("site_id", fields.UUIDField()),
                ("item_id", fields.UUIDField()),
                ("locales", ArrayField(null=True, element_type="TEXT")),
                ("action", fields.CharField(max_length=10)),
                ("due_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("state", fields.CharField(default="pending", max_length=10)),
                ("done_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("late_by", fields.FloatField(null=True)),
                ("error", fields.TextField(null=True, unique=False)),
                ("release_id", fields.UUIDField(null=True)),
                ("job_id", fields.UUIDField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("actor_kind", fields.CharField(max_length=10)),
                ("actor_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "content_schedule",
                "app": "scaicms",
                "indexes": [Index(fields=["site_id", "due_at"]), Index(fields=["item_id"])],
                "pk_attr": "id",
                "table_description": "What is to happen to an item at a time. `locales` null is all that the item has then.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ReleaseRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("site_id", fields.UUIDField(db_index=True)),
                ("name", fields.CharField(max_length=200)),
                ("version", fields.IntField(default=1)),
                ("state", fields.CharField(max_length=10)),
                ("due_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("done_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("late_by", fields.FloatField(null=True)),
                ("problems", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("job_id", fields.UUIDField(null=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("created_by", fields.UUIDField(null=True)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("actor_kind", fields.CharField(max_length=10)),
                ("actor_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "content_releases",
                "app": "scaicms",
                "pk_attr": "id",
                "table_description": "Items that are published and unpublished together. `version` counts changes.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ReleaseItemRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("release_id", fields.UUIDField()),
                ("place", fields.SmallIntField()),
                ("item_id", fields.UUIDField(db_index=True)),
                ("locale", fields.CharField(null=True, max_length=35)),
                ("action", fields.CharField(max_length=10)),
            ],
            options={
                "table": "content_release_items",
                "app": "scaicms",
                "unique_together": (("release_id", "place"),),
                "pk_attr": "id",
                "table_description": "One item of a release; `locale` null is all that it has then.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DocumentLinkRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("item_id", fields.UUIDField()),
                ("locale", fields.CharField(max_length=35)),
                ("field", fields.CharField(max_length=63)),
                ("target_id", fields.UUIDField()),
            ],
            options={
                "table": "document_links",
                "app": "scaicms",
                "indexes": [Index(fields=["item_id", "locale"]), Index(fields=["target_id", "id"])],
                "pk_attr": "id",
                "table_description": "What a published document points to: one row a relation value that readers see, gone with the document.",
            },
            bases=["Model"],
        ),
        ops.AddField(model_name="ItemRow", name="stage", field=fields.CharField(null=True, max_length=63)),
        ops.AddField(
            model_name="ContentTypeRow",
            name="workflow",
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD),
    ]

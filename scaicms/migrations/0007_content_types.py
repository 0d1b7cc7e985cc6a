"""Versions of content types, plans that change stored data, and the lock that keeps writers and such changes apart."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

FORWARD = [
    # What stored rows become, waiting; once exchanged, what the change is undone from.
    """CREATE TABLE content_type_plan_rows (
         plan_id uuid NOT NULL, store text NOT NULL, key text NOT NULL, stamp text NOT NULL,
         before jsonb, after jsonb, body bytea, etag text, refs jsonb, PRIMARY KEY (plan_id, store, key))""",
    """CREATE FUNCTION content_type_lock(type_id uuid) RETURNS bigint LANGUAGE sql IMMUTABLE AS
       $$ SELECT hashtextextended('content_type:' || type_id, 0) $$""",
    # Whoever writes items of a type holds it first. In one call, since each statement of a volatile function sees what
    # had been committed when it began: the version is read after the wait.
    """CREATE FUNCTION hold_content_type(wanted uuid, OUT type_key text, OUT type_version int) LANGUAGE plpgsql AS $$
       BEGIN
         PERFORM pg_advisory_xact_lock_shared(content_type_lock(wanted));
         SELECT t.key, t.version INTO type_key, type_version FROM content_types t WHERE t.id = wanted;
       END $$""",
    """INSERT INTO content_type_versions (site_id, type_id, version, proposal, created_at, actor_kind)
       SELECT site_id, id, version, definitions, updated_at, 'system' FROM content_types""",
]
BACKWARD = [
    "DROP FUNCTION hold_content_type(uuid)",
    "DROP FUNCTION content_type_lock(uuid)",
    "DROP TABLE content_type_plan_rows",
]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0006_taxonomies")]

    operations = [
        ops.AddField(model_name="ContentTypeRow", name="layout", field=fields.IntField(default=0)),
        ops.CreateModel(
            name="SchemaVersionRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("site_id", fields.UUIDField()),
                ("type_id", fields.UUIDField()),
                ("version", fields.IntField()),
                ("proposal", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("plan_id", fields.UUIDField(null=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("actor_kind", fields.CharField(max_length=10)),
                ("actor_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "content_type_versions",
                "app": "scaicms",
                "unique_together": (("type_id", "version"),),
                "pk_attr": "id",
                "table_description": "The fields that a type had from some moment on, as they were proposed: with `renamed_from`.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SchemaPlanRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("site_id", fields.UUIDField()),
                ("type_id", fields.UUIDField(db_index=True)),
                ("base_version", fields.IntField()),
                ("proposal", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("found", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("undoes", fields.UUIDField(null=True)),
                ("is_rollback", fields.BooleanField(default=False)),
                ("state", fields.CharField(max_length=10)),
                ("job_id", fields.UUIDField(null=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("actor_kind", fields.CharField(max_length=10)),
                ("actor_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "content_type_plans",
                "app": "scaicms",
                "pk_attr": "id",
                "table_description": "A change of a type's fields that was tried on its rows; `found` is the report.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD),
    ]

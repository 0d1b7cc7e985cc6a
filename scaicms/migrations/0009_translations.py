"""What translations are compared by, and where versions of an entry begin that stands in the place of a removed one."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

FORWARD = [
    "ALTER TABLE items ALTER first_version SET DEFAULT 1",
    "ALTER TABLE entries ALTER stamps SET DEFAULT '{}', ALTER published_stamps SET DEFAULT '{}'",
    # What is kept by field follows when a plan gives fields other names: {old: new}.
    """CREATE FUNCTION renamed_keys(kept jsonb, names jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
       $$ SELECT coalesce(jsonb_object_agg(coalesce(names->>k.key, k.key), k.value), '{}') FROM jsonb_each(kept) k $$""",
]
BACKWARD = ["DROP FUNCTION renamed_keys(jsonb, jsonb)"]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0008_term_arrays")]

    operations = [
        ops.AddField(model_name="ItemRow", name="first_version", field=fields.IntField(default=1)),
        ops.AddField(
            model_name="EntryRow",
            name="stamps",
            field=fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name="EntryRow",
            name="published_stamps",
            field=fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD),
    ]

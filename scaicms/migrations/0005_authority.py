"""Narrowed grants, groups, what API keys are limited by, and the log of events as an append-only chain."""

from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

FORWARD = [
    "CREATE UNIQUE INDEX group_roles_once ON group_roles (group_id, role_id, site_id) NULLS NOT DISTINCT",
    """CREATE VIEW user_roles AS
         SELECT user_id, role_id, site_id, NULL::uuid AS group_id FROM role_assignments
         UNION ALL
         SELECT m.user_id, g.role_id, g.site_id, g.group_id FROM group_members m JOIN group_roles g USING (group_id)""",
    # Authors were given everybody's drafts before grants could be narrowed.
    """UPDATE role_grants SET own_only = true FROM roles
       WHERE roles.id = role_grants.role_id AND roles.key = 'author' AND roles.built_in
         AND role_grants.permission IN ('content:read_drafts', 'content:update')""",
    # The transaction that wrote the row: once no older one is running, nothing can come in before it any more.
    "ALTER TABLE events ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()",
    "ALTER TABLE events SET (fillfactor = 90)",
    "CREATE INDEX events_unsealed ON events (seq) WHERE hash IS NULL",
    """INSERT INTO event_chain (id, anchor_position, anchor_hash, head_position, head_hash)
         VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'))""",
    """CREATE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF TG_OP = 'UPDATE' AND OLD.hash IS NULL AND NEW.hash IS NOT NULL AND NEW.position IS NOT NULL
            AND (NEW.seq, NEW.id, NEW.site_id, NEW.type, NEW.version, NEW.aggregate_id, NEW.payload, NEW.actor_kind,
                 NEW.actor_id, NEW.occurred_at, NEW.ip, NEW.request_id, NEW.xid)
                IS NOT DISTINCT FROM
                (OLD.seq, OLD.id, OLD.site_id, OLD.type, OLD.version, OLD.aggregate_id, OLD.payload, OLD.actor_kind,
                 OLD.actor_id, OLD.occurred_at, OLD.ip, OLD.request_id, OLD.xid) THEN
           RETURN NEW;
         ELSIF TG_OP = 'DELETE' AND OLD.position <= (SELECT anchor_position FROM event_chain) THEN
           RETURN OLD;
         END IF;
         RAISE EXCEPTION 'events is append-only' USING ERRCODE = 'integrity_constraint_violation';
       END $$""",
    """CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events
         FOR EACH ROW EXECUTE FUNCTION events_append_only()""",
    """CREATE TRIGGER events_unsealed_at_first BEFORE INSERT ON events
         FOR EACH ROW WHEN (NEW.hash IS NOT NULL OR NEW.position IS NOT NULL) EXECUTE FUNCTION events_append_only()""",
    """CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events
         FOR EACH STATEMENT EXECUTE FUNCTION events_append_only()""",
]
BACKWARD = [
    "DROP TRIGGER events_no_truncate ON events",
    "DROP TRIGGER events_unsealed_at_first ON events",
    "DROP TRIGGER events_append_only ON events",
    "DROP FUNCTION events_append_only()",
    "DROP INDEX events_unsealed",
    "ALTER TABLE events RESET (fillfactor)",
    "ALTER TABLE events DROP COLUMN xid",
    "DROP VIEW user_roles",
    "DROP INDEX group_roles_once",
    # Without bounds a narrowed grant would give more than it did.
    "DELETE FROM role_grants WHERE own_only OR content_types IS NOT NULL OR locales IS NOT NULL OR fields IS NOT NULL",
]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0004_identity")]

    operations = [
        ops.CreateModel(
            name="ApiKeyUsageRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("key_id", fields.UUIDField()),
                ("hour", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("requests", fields.BigIntField()),
            ],
            options={
                "table": "api_key_usage",
                "app": "scaicms",
                "unique_together": (("key_id", "hour"),),
                "pk_attr": "id",
                "table_description": "Requests of a key in one hour, written in batches.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="EventChainRow",
            fields=[
                ("id", fields.SmallIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("anchor_position", fields.BigIntField(default=0)),
                ("anchor_hash", fields.BinaryField()),
                ("head_position", fields.BigIntField(default=0)),
                ("head_hash", fields.BinaryField()),
            ],
            options={
                "table": "event_chain",
                "app": "scaicms",
                "pk_attr": "id",
                "table_description": "The two ends of the chain, in the only row: `anchor` is what retention has cut off, `head` the last link.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="GroupMemberRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("group_id", fields.UUIDField()),
                ("user_id", fields.UUIDField(db_index=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "group_members",
                "app": "scaicms",
                "unique_together": (("group_id", "user_id"),),
                "pk_attr": "id",
                "table_description": "Somebody is in a group.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="GroupRoleRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("group_id", fields.UUIDField()),
                ("role_id", fields.UUIDField(db_index=True)),
                ("site_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "group_roles",
                "app": "scaicms",
                "pk_attr": "id",
                "table_description": "The members of a group have a role, at one site or, without `site_id`, everywhere.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="GroupRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("key", fields.CharField(unique=True, max_length=63)),
                ("name", fields.CharField(max_length=200)),
                ("description", fields.TextField(default="", unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "groups",
                "app": "scaicms",
                "pk_attr": "id",
                "table_description": "People who have roles together.",
            },
            bases=["Model"],
        ),
        ops.AlterModelOptions(
            name="ApiKeyRow",
            options={
                "table": "api_keys",
                "app": "scaicms",
                "pk_attr": "id",
                "table_description": "One key. `site_ids` null: wherever its owner may act; `allowed_ips` null: from anywhere; `rate_limit`: requests",
            },
        ),
        ops.AddField(
            model_name="ApiKeyRow",
            name="allowed_ips",
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name="ApiKeyRow",
            name="last_used_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="ApiKeyRow",
            name="previous_digest",
            field=fields.CharField(null=True, unique=True, max_length=64),
        ),
        ops.AddField(
            model_name="ApiKeyRow",
            name="previous_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="ApiKeyRow",
            name="rate_limit",
            field=fields.IntField(default=600, db_default=600),
        ),
        ops.AddField(
            model_name="EventRow",
            name="hash",
            field=fields.BinaryField(null=True),
        ),
        ops.AddField(
            model_name="EventRow",
            name="ip",
            field=fields.CharField(null=True, max_length=64),
        ),
        ops.AddField(
            model_name="EventRow",
            name="position",
            field=fields.BigIntField(null=True, unique=True),
        ),
        ops.AddField(
            model_name="EventRow",
            name="request_id",
            field=fields.CharField(null=True, max_length=64),
        ),
        ops.AddIndex(
            model_name="EventRow",
            index=Index(fields=["actor_id", "seq"]),
        ),
        ops.RemoveConstraint(
            model_name="RoleGrantRow",
            name=None,
            fields=["role_id", "permission"],
        ),
        ops.AlterModelOptions(
            name="RoleGrantRow",
            options={
                "table": "role_grants",
                "app": "scaicms",
                "pk_attr": "id",
                "table_description": "One permission that a role grants, narrowed or not; null is no bound. The lists are sorted, so that the same",
            },
        ),
        ops.AlterField(
            model_name="RoleGrantRow",
            name="role_id",
            field=fields.UUIDField(db_index=True),
        ),
        ops.AddField(
            model_name="RoleGrantRow",
            name="content_types",
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name="RoleGrantRow",
            name="fields",
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name="RoleGrantRow",
            name="locales",
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name="RoleGrantRow",
            name="own_only",
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD),
    ]

"""Content types as stored."""

from tortoise import fields
from tortoise.models import Model


class ContentTypeRow(Model):
    """One kind of content of one site. `version` counts changes of `definitions`, its fields.

    `layout` counts those of them that rewrote stored data.
    """

    id = fields.UUIDField(primary_key=True)
    site_id = fields.UUIDField()
    key = fields.CharField(max_length=63)
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="")
    kind = fields.CharField(max_length=10)
    definitions: object = fields.JSONField()
    url_pattern = fields.CharField(max_length=200, null=True)
    workflow: object = fields.JSONField(null=True)
    settings: object = fields.JSONField()
    version = fields.IntField(default=1)
    layout = fields.IntField(default=0)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "content_types"
        unique_together = (("site_id", "key"),)


class SchemaVersionRow(Model):
    """The fields that a type had from some moment on, as they were proposed: with `renamed_from`."""

    id = fields.BigIntField(primary_key=True)
    site_id = fields.UUIDField()
    type_id = fields.UUIDField()
    version = fields.IntField()
    proposal: object = fields.JSONField()
    plan_id = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()
    actor_kind = fields.CharField(max_length=10)
    actor_id = fields.UUIDField(null=True)

    class Meta:
        table = "content_type_versions"
        unique_together = (("type_id", "version"),)


class SchemaPlanRow(Model):
    """A change of a type's fields that was tried on its rows; `found` is the report."""

    id = fields.UUIDField(primary_key=True)
    site_id = fields.UUIDField()
    type_id = fields.UUIDField(db_index=True)
    base_version = fields.IntField()
    proposal: object = fields.JSONField()
    found: object = fields.JSONField()
    undoes = fields.UUIDField(null=True)
    is_rollback = fields.BooleanField(default=False)
    state = fields.CharField(max_length=10)
    job_id = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()
    actor_kind = fields.CharField(max_length=10)
    actor_id = fields.UUIDField(null=True)

    class Meta:
        table = "content_type_plans"

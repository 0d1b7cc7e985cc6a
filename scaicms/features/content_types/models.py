"""Content types as stored."""

from tortoise import fields
from tortoise.models import Model


class ContentTypeRow(Model):
    """One kind of content of one site. `version` counts changes of `definitions`, its fields; `layout` those of them
    that rewrote stored data."""

    id = fields.UUIDField(primary_key=True)
    site_id = fields.UUIDField()
    key = fields.CharField(max_length=63)
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="")
    kind = fields.CharField(max_length=10)
    definitions: object = fields.JSONField()
    url_pattern = fields.CharField(max_length=200, null=True)
    settings: object = fields.JSONField()
    version = fields.IntField(default=1)
    layout = fields.IntField(default=0)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "content_types"
        unique_together = (("site_id", "key"),)

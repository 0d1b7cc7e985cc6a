"""API keys as stored: never the key, only its digest."""

from tortoise import fields
from tortoise.models import Model


class ApiKeyRow(Model):
    """One key. `site_ids` null: wherever its owner may act."""

    id = fields.UUIDField(primary_key=True)
    name = fields.CharField(max_length=200)
    prefix = fields.CharField(max_length=20)
    digest = fields.CharField(max_length=64, unique=True)
    owner_id = fields.UUIDField(db_index=True)
    permissions: object = fields.JSONField()
    site_ids: object = fields.JSONField(null=True)
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "api_keys"

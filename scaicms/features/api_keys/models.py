"""API keys as stored: never the key, only its digest."""

from tortoise import fields
from tortoise.models import Model


class ApiKeyRow(Model):
    """One key. `site_ids` null: wherever its owner may act; `allowed_ips` null: from anywhere; `rate_limit`: requests
    a minute. `previous_digest` is the key before the last rotation, good until `previous_until`."""

    id = fields.UUIDField(primary_key=True)
    name = fields.CharField(max_length=200)
    prefix = fields.CharField(max_length=20)
    digest = fields.CharField(max_length=64, unique=True)
    owner_id = fields.UUIDField(db_index=True)
    permissions: object = fields.JSONField()
    site_ids: object = fields.JSONField(null=True)
    allowed_ips: object = fields.JSONField(null=True)
    rate_limit = fields.IntField(default=600, db_default=600)
    expires_at = fields.DatetimeField(null=True)
    previous_digest = fields.CharField(max_length=64, null=True, unique=True)
    previous_until = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "api_keys"


class ApiKeyUsageRow(Model):
    """Requests of a key in one hour, written in batches."""

    id = fields.BigIntField(primary_key=True)
    key_id = fields.UUIDField()
    hour = fields.DatetimeField()
    requests = fields.BigIntField()

    class Meta:
        table = "api_key_usage"
        unique_together = (("key_id", "hour"),)

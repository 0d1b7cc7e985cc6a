"""Sites as stored."""

from tortoise import fields
from tortoise.models import Model


class SiteRow(Model):
    """One site. `locales` is a list of `{code, fallback}`."""

    id = fields.UUIDField(primary_key=True)
    key = fields.CharField(max_length=63, unique=True)
    name = fields.CharField(max_length=200)
    default_locale = fields.CharField(max_length=35)
    locales: object = fields.JSONField()
    settings: object = fields.JSONField()
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "sites"


class SiteDomainRow(Model):
    """A host that a site answers on."""

    id = fields.UUIDField(primary_key=True)
    site_id = fields.UUIDField(db_index=True)
    host = fields.CharField(max_length=253, unique=True)
    is_primary = fields.BooleanField(default=False)
    verified_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "site_domains"

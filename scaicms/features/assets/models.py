"""Assets and their files as stored."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.models import Model


class AssetFileRow(Model):
    """Bytes of a site, stored once whatever many assets have them, and what a worker has found them to be.

    `digest` is their SHA-256. `status` is processing, ready or failed, the latter with a `problem`. `attempts` counts
    how often reading them was begun.
    """

    id = fields.UUIDField(primary_key=True)
    site_id = fields.UUIDField()
    digest = fields.CharField(max_length=64)
    size = fields.BigIntField()
    raster_type = fields.CharField(max_length=100, null=True)
    """Of what kind of raster image the bytes begin like one."""
    content_type = fields.CharField(max_length=130, null=True)
    status = fields.CharField(max_length=10)
    problem = fields.CharField(max_length=300, null=True)
    attempts = fields.SmallIntField(default=0)
    width = fields.IntField(null=True)
    height = fields.IntField(null=True)
    blurhash = fields.CharField(max_length=100, null=True)
    color = fields.CharField(max_length=7, null=True)
    exif: object = fields.JSONField(default=dict)
    variants: object = fields.JSONField(default=list)
    job_id = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "asset_files"
        unique_together = (("site_id", "digest"),)


class AssetRow(Model):
    """One asset: a file, and what is said of it in each locale. `version` counts changes of the latter."""

    id = fields.UUIDField(primary_key=True)
    site_id = fields.UUIDField()
    file_id = fields.UUIDField(db_index=True)
    filename = fields.CharField(max_length=255)
    titles: object = fields.JSONField(default=dict)
    alts: object = fields.JSONField(default=dict)
    folder = fields.CharField(max_length=200, default="")
    tags = ArrayField(element_type="TEXT")
    focal_x = fields.FloatField(null=True)
    focal_y = fields.FloatField(null=True)
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    updated_at = fields.DatetimeField()
    updated_by = fields.UUIDField(null=True)

    class Meta:
        table = "assets"
        indexes = (Index(fields=("site_id", "id")),)

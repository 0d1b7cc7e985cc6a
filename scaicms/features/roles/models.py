"""Roles as stored."""

from tortoise import fields
from tortoise.models import Model


class RoleRow(Model):
    """A bundle of permissions."""

    id = fields.UUIDField(primary_key=True)
    key = fields.CharField(max_length=63, unique=True)
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="")
    built_in = fields.BooleanField(default=False)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "roles"


class RoleGrantRow(Model):
    """One permission that a role grants."""

    id = fields.UUIDField(primary_key=True)
    role_id = fields.UUIDField()
    permission = fields.CharField(max_length=100)

    class Meta:
        table = "role_grants"
        unique_together = (("role_id", "permission"),)


class RoleAssignmentRow(Model):
    """Somebody has a role, at one site or, without `site_id`, everywhere."""

    id = fields.UUIDField(primary_key=True)
    user_id = fields.UUIDField(db_index=True)
    role_id = fields.UUIDField(db_index=True)
    site_id = fields.UUIDField(null=True)

    class Meta:
        table = "role_assignments"

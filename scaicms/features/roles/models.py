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
    """One permission that a role grants, narrowed or not; null is no bound. The lists are sorted, so that the same
    grant is the same row."""

    id = fields.UUIDField(primary_key=True)
    role_id = fields.UUIDField(db_index=True)
    permission = fields.CharField(max_length=100)
    content_types: object = fields.JSONField(null=True)
    locales: object = fields.JSONField(null=True)
    own_only = fields.BooleanField(default=False, db_default=False)
    fields: object = fields.JSONField(null=True)  # last: from here on the name is the column's

    class Meta:
        table = "role_grants"


class RoleAssignmentRow(Model):
    """Somebody has a role, at one site or, without `site_id`, everywhere.

    Who has a role in whatever way is the view `user_roles` (user_id, role_id, site_id, group_id): these rows, and
    those that come through groups.
    """

    id = fields.UUIDField(primary_key=True)
    user_id = fields.UUIDField(db_index=True)
    role_id = fields.UUIDField(db_index=True)
    site_id = fields.UUIDField(null=True)

    class Meta:
        table = "role_assignments"

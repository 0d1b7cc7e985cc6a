"""Groups as stored."""

from tortoise import fields
from tortoise.models import Model


class GroupRow(Model):
    """People who have roles together."""

    id = fields.UUIDField(primary_key=True)
    key = fields.CharField(max_length=63, unique=True)
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "groups"


class GroupMemberRow(Model):
    """Somebody is in a group."""

    id = fields.UUIDField(primary_key=True)
    group_id = fields.UUIDField()
    user_id = fields.UUIDField(db_index=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "group_members"
        unique_together = (("group_id", "user_id"),)


class GroupRoleRow(Model):
    """The members of a group have a role, at one site or, without `site_id`, everywhere."""

    id = fields.UUIDField(primary_key=True)
    group_id = fields.UUIDField()
    role_id = fields.UUIDField(db_index=True)
    site_id = fields.UUIDField(null=True)

    class Meta:
        table = "group_roles"

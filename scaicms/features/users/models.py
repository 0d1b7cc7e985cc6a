"""Users as stored."""

from tortoise import fields
from tortoise.models import Model


class UserRow(Model):
    """A person. `email` is normalised, so that uniqueness is by what people mean."""

    id = fields.UUIDField(primary_key=True)
    email = fields.CharField(max_length=320, unique=True)
    name = fields.CharField(max_length=200)
    password_hash = fields.CharField(max_length=200)
    is_active = fields.BooleanField(default=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    last_login_at = fields.DatetimeField(null=True)

    class Meta:
        table = "users"


class InvitationRow(Model):
    """An account that waits for its owner: inactive, with its roles, until somebody proves to read its mail."""

    id = fields.UUIDField(primary_key=True)
    user_id = fields.UUIDField(unique=True)
    digest = fields.CharField(max_length=64, unique=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    accepted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "invitations"

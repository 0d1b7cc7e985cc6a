"""Sessions as stored."""

from tortoise import fields
from tortoise.models import Model


class SessionRow(Model):
    """One login; the family of its refresh tokens."""

    id = fields.UUIDField(primary_key=True)
    user_id = fields.UUIDField(db_index=True)
    created_at = fields.DatetimeField()
    last_used_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)
    ip = fields.CharField(max_length=64)
    user_agent = fields.CharField(max_length=300)

    class Meta:
        table = "sessions"


class RefreshTokenRow(Model):
    """A refresh token's digest; used once, then kept to notice that it comes again."""

    digest = fields.CharField(max_length=64, primary_key=True)
    session_id = fields.UUIDField(db_index=True)
    created_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "refresh_tokens"

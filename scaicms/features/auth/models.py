"""Sessions, and what else proves who somebody is, as stored."""

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
    method = fields.CharField(max_length=40, default="password", db_default="password")
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


class LoginNetworkRow(Model):
    """A network (an IPv4 address or an IPv6 /64) that a user has logged in from."""

    id = fields.BigIntField(primary_key=True, generated=True)
    user_id = fields.UUIDField()
    network = fields.CharField(max_length=64)
    last_login_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "login_networks"
        unique_together = (("user_id", "network"),)


class PasswordResetRow(Model):
    """A wish for a new password. Written for any address; the job that mails it finds out whose it is."""

    id = fields.UUIDField(primary_key=True)
    email = fields.CharField(max_length=320)
    user_id = fields.UUIDField(null=True, db_index=True)
    digest = fields.CharField(max_length=64, null=True, unique=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "password_resets"


class TotpRow(Model):
    """A second factor (RFC 6238). `last_step` is the newest 30-second step whose code was used."""

    user_id = fields.UUIDField(primary_key=True)
    sealed_secret = fields.BinaryField()
    last_step = fields.BigIntField(default=0)
    created_at = fields.DatetimeField()
    confirmed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "totp"


class RecoveryCodeRow(Model):
    """A code on paper, instead of one from the telephone; good once."""

    digest = fields.CharField(max_length=64, primary_key=True)
    user_id = fields.UUIDField(db_index=True)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "recovery_codes"


class IdentityRow(Model):
    """Somebody as an OpenID provider knows them: `subject` is unique at its issuer and never given to another."""

    id = fields.UUIDField(primary_key=True)
    issuer = fields.CharField(max_length=300)
    subject = fields.CharField(max_length=255)
    user_id = fields.UUIDField(db_index=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "identities"
        unique_together = (("issuer", "subject"),)

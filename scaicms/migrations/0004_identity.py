"""Password resets, invitations, second factors and identities at OpenID providers; all go with their user."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

OF_USERS = ("password_resets", "invitations", "totp", "recovery_codes", "identities")
FORWARD = [
    f"ALTER TABLE {table} ADD CONSTRAINT {table}_user FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE"
    for table in OF_USERS
]
BACKWARD = [f"ALTER TABLE {table} DROP CONSTRAINT {table}_user" for table in OF_USERS]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0003_fleet")]

    initial = False

    operations = [
        ops.CreateModel(
            name="IdentityRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("issuer", fields.CharField(max_length=300)),
                ("subject", fields.CharField(max_length=255)),
                ("user_id", fields.UUIDField(db_index=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "identities",
                "app": "scaicms",
                "unique_together": (("issuer", "subject"),),
                "pk_attr": "id",
                "table_description": "Somebody as an OpenID provider knows them: `subject` is unique at its issuer and never given to another.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="InvitationRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("user_id", fields.UUIDField(unique=True)),
                ("digest", fields.CharField(unique=True, max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("accepted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "invitations",
                "app": "scaicms",
                "pk_attr": "id",
                "table_description": "An account that waits for its owner: inactive, with its roles, until somebody proves to read its mail.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PasswordResetRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("email", fields.CharField(max_length=320)),
                ("user_id", fields.UUIDField(null=True, db_index=True)),
                ("digest", fields.CharField(null=True, unique=True, max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "password_resets",
                "app": "scaicms",
                "pk_attr": "id",
                "table_description": "A wish for a new password. Written for any address; the job that mails it finds out whose it is.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RecoveryCodeRow",
            fields=[
                ("digest", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("user_id", fields.UUIDField(db_index=True)),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "recovery_codes",
                "app": "scaicms",
                "pk_attr": "digest",
                "table_description": "A code on paper, instead of one from the telephone; good once.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TotpRow",
            fields=[
                ("user_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("sealed_secret", fields.BinaryField()),
                ("last_step", fields.BigIntField(default=0)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("confirmed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "totp",
                "app": "scaicms",
                "pk_attr": "user_id",
                "table_description": "A second factor (RFC 6238). `last_step` is the newest 30-second step whose code was used.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(sql=FORWARD, reverse_sql=BACKWARD),
    ]

"""Networks that users have logged in from, which limits of attempts from elsewhere do not apply to."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

FORWARD = [
    """ALTER TABLE login_networks ADD CONSTRAINT login_networks_user
         FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE""",
    # Owners with a session are known from the first attempt on. IPv6 counts by /64, as `rate_networks` has it.
    """INSERT INTO login_networks (user_id, network, last_login_at)
         SELECT user_id, CASE WHEN family(address) = 6 THEN network(set_masklen(address, 64))::text ELSE host(address) END,
                max(created_at)
         FROM (SELECT user_id, created_at, ip::inet AS address FROM sessions
               WHERE ip ~ '^([0-9]{1,3}[.]){3}[0-9]{1,3}$' OR ip ~ '^[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}$') s
         GROUP BY 1, 2""",
]
BACKWARD = ["ALTER TABLE login_networks DROP CONSTRAINT login_networks_user"]


class Migration(migrations.Migration):
    dependencies = [("scaicms", "0018_assets")]

    initial = False

    operations = [
        ops.CreateModel(
            name="LoginNetworkRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("user_id", fields.UUIDField()),
                ("network", fields.CharField(max_length=64)),
                ("last_login_at", fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "login_networks",
                "app": "scaicms",
                "unique_together": (("user_id", "network"),),
                "pk_attr": "id",
                "table_description": "A network (an IPv4 address or an IPv6 /64) that a user has logged in from.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(FORWARD, BACKWARD),
    ]

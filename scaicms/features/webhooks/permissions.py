"""What can be permitted about webhooks."""

from scaicms.kit.permissions import Permission

READ = Permission(
    "webhooks:read", "See webhooks and the feed of events: of events and deliveries those that one may read anyhow"
)
MANAGE = Permission("webhooks:manage", "Create, change and delete webhooks, see their new secrets, deliver again")

ALL = (READ, MANAGE)

"""What can be permitted about API keys."""

from scaicms.kit.permissions import Permission

MANAGE = Permission(
    "api_keys:manage", "Create, see and revoke one's API keys; with users:write, everybody's", scope="global"
)

ALL = (MANAGE,)

"""What can be permitted about permissions themselves."""

from scaicms.kit.permissions import Permission

READ = Permission("permissions:read", "See what can be permitted", scope="global")

ALL = (READ,)

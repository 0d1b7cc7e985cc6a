"""What can be permitted about users."""

from scaicms.kit.permissions import Permission

READ = Permission("users:read", "See users", scope="global")
WRITE = Permission("users:write", "Create, change, deactivate and delete users", scope="global")

ALL = (READ, WRITE)

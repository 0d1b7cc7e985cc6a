"""What can be permitted about groups."""

from scaicms.kit.permissions import Permission

READ = Permission("groups:read", "See groups, their members and their roles", scope="global")
WRITE = Permission("groups:write", "Create, change and delete groups, and say who is in them", scope="global")

ALL = (READ, WRITE)

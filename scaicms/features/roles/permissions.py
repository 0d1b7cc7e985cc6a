"""What can be permitted about roles."""

from scaicms.kit.permissions import Permission

READ = Permission("roles:read", "See roles and what they grant", scope="global")
WRITE = Permission("roles:write", "Create, change and delete roles", scope="global")
ASSIGN = Permission("roles:assign", "Give roles to people and take them", scope="global")

ALL = (READ, WRITE, ASSIGN)

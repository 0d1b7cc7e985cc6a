"""What can be permitted about taxonomies."""

from scaicms.kit.permissions import Permission

READ = Permission("taxonomies:read", "See taxonomies, their terms, and how much published content has them")
WRITE = Permission("taxonomies:write", "Create, change and delete taxonomies and terms")

ALL = (READ, WRITE)

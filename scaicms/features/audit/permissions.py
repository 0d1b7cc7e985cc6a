"""What can be permitted about the audit log."""

from scaicms.kit.permissions import Permission

READ = Permission("audit:read", "Read, verify and export the audit log of all sites", scope="global")

ALL = (READ,)

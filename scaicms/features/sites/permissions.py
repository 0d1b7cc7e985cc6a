"""What can be permitted about sites."""

from scaicms.kit.permissions import Permission

READ = Permission("sites:read", "See a site and its settings")
CREATE = Permission("sites:create", "Create sites", scope="global")
UPDATE = Permission("sites:update", "Change a site, its locales and domains")
DELETE = Permission("sites:delete", "Delete a site that has no content", scope="global")

ALL = (READ, CREATE, UPDATE, DELETE)

"""What can be permitted about assets. `own_only`: those that the holder has uploaded."""

from scaicms.kit.permissions import Permission

READ = Permission("assets:read", "See assets and read their files")
CREATE = Permission("assets:create", "Upload assets")
UPDATE = Permission("assets:update", "Change what is said of assets", bounds=("own_only",))
DELETE = Permission("assets:delete", "Delete assets", bounds=("own_only",))

ALL = (READ, CREATE, UPDATE, DELETE)

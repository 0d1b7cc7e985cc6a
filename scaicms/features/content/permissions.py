"""What can be permitted about content."""

from scaicms.kit.permissions import Permission

READ = Permission("content:read", "Read published content")
READ_DRAFTS = Permission("content:read_drafts", "Read drafts and unpublished content")
CREATE = Permission("content:create", "Create items")
UPDATE = Permission("content:update", "Change drafts of items")
DELETE = Permission("content:delete", "Put items into the trash and remove them for good")
PUBLISH = Permission("content:publish", "Publish and unpublish items")
IMPORT = Permission("content:import", "Import items from files")

ALL = (READ, READ_DRAFTS, CREATE, UPDATE, DELETE, PUBLISH, IMPORT)

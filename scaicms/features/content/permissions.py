"""What can be permitted about content."""

from scaicms.kit.permissions import BOUNDS, Permission

READ = Permission("content:read", "Read published content", bounds=BOUNDS)
READ_DRAFTS = Permission("content:read_drafts", "Read drafts and unpublished content", bounds=BOUNDS)
CREATE = Permission("content:create", "Create items", bounds=BOUNDS)
UPDATE = Permission("content:update", "Change drafts of items", bounds=BOUNDS)
DELETE = Permission(
    "content:delete",
    "Put items into the trash and remove them for good",
    bounds=("content_types", "locales", "own_only"),
)
PUBLISH = Permission("content:publish", "Publish and unpublish items", bounds=("content_types", "locales", "own_only"))
IMPORT = Permission("content:import", "Import items from files", bounds=("content_types",))
HOLD = Permission(
    "content:hold",
    "Put items on legal hold and release them",
    bounds=("content_types", "locales", "own_only"),
)

ALL = (READ, READ_DRAFTS, CREATE, UPDATE, DELETE, PUBLISH, IMPORT, HOLD)

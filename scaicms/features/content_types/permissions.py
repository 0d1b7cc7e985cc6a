"""What can be permitted about content types."""

from scaicms.kit.permissions import Permission

READ = Permission("content_types:read", "See the content types of a site", bounds=("content_types",))
WRITE = Permission("content_types:write", "Create, change and delete content types", bounds=("content_types",))

ALL = (READ, WRITE)

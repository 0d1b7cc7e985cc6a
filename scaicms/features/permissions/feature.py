"""Manifest."""

from scaicms.features.permissions import permissions
from scaicms.web.feature import Feature

FEATURE = Feature(
    name="permissions", routes=("scaicms.features.permissions.routes:routes",), permissions=permissions.ALL
)

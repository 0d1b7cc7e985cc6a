"""Manifest."""

from scaicms.features.permissions import permissions
from scaicms.features.permissions.routes import routes
from scaicms.web.feature import Feature

FEATURE = Feature(name="permissions", routes=(routes,), permissions=permissions.ALL)

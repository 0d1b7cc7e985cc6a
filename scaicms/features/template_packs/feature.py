"""Manifest."""

from scaicms.features.template_packs.site import add_pages
from scaicms.web.feature import Feature

FEATURE = Feature(name="template_packs", pages=add_pages)

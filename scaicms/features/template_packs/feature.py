"""Manifest."""

from scaicms.web.feature import Feature

FEATURE = Feature(name="template_packs", pages="scaicms.features.template_packs.site:add_pages")

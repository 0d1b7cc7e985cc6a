"""Manifest."""

from scaicms.web.feature import Feature

FEATURE = Feature(name="groups", models="scaicms.features.groups.models")

"""Search engines behind one port."""

from scaicms.infra.search.port import (
    Hit,
    SearchBackend,
    SearchDocument,
    SearchPage,
    SearchReach,
    SearchRequest,
    SearchRule,
)

__all__ = ["Hit", "SearchBackend", "SearchDocument", "SearchPage", "SearchReach", "SearchRequest", "SearchRule"]

"""OpenAPI 3.1 from the declared operations, and the page that shows it."""

from scaicms.web.openapi.builder import openapi_document
from scaicms.web.openapi.pages import setup_openapi

__all__ = ["openapi_document", "setup_openapi"]

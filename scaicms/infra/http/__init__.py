"""The one way out: HTTP to hosts that somebody else has named."""

from scaicms.infra.http.addresses import Reach
from scaicms.infra.http.client import Answer, HttpClient, OutboundError, check_url, is_same_origin

__all__ = ["Answer", "HttpClient", "OutboundError", "Reach", "check_url", "is_same_origin"]

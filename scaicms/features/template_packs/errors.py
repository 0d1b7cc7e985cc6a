"""What can be wrong with an address of the public site."""

from scaicms.kit.errors import NotFoundError


class PageNotFoundError(NotFoundError):
    code, message = "page_not_found", "There is no page at this address."

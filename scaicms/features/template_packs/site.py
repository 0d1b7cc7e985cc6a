"""The public site's routes: everything outside `/api` that nothing else answers."""

from aiohttp import web

from scaicms.features.template_packs.service import PublicSiteService
from scaicms.kit.errors import BadRequestError, NotFoundError, UnauthorizedError
from scaicms.web.ports import SERVICES

POLICY = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' https: data:; base-uri 'none'"


async def page(request: web.Request) -> web.Response:
    """A page of the site that answers on the request's host."""
    service = request.app[SERVICES].get(PublicSiteService)
    # Hosts are ASCII; what is no UTF-8 comes as surrogates, which nothing encodes.
    host = (request.host or "").rsplit(":", 1)[0].lower().encode("ascii", "replace").decode()
    found = await service.site_of("localhost" if host == "127.0.0.1" else host)
    if found is None:
        return _html(service.welcome(host))
    site, reader = found
    try:
        if request.path == "/":
            return _html(await service.home(site, reader, _page_number(request)))
        return _html(await service.item(site, reader, request.path))
    except (NotFoundError, UnauthorizedError):
        # A site that is closed to the public has no pages, rather than a login.
        return _html(service.not_found(site), 404)


def _page_number(request: web.Request) -> int:
    text = request.query.get("page", "1")
    if not text.isascii() or not text.isdecimal() or len(text) > 7:
        raise BadRequestError("page is a number from 1.", code="invalid_parameter")
    return int(text)


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})


def add_pages(app: web.Application) -> None:
    """Call last: the pattern takes every path that is not the API's."""
    app.router.add_get("/", page)
    app.router.add_get(r"/{path:(?!api/).+}", page)

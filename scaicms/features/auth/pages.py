"""The pages that links in mails lead to. They hold nothing: the token is in the fragment, the API does the rest."""

from collections.abc import Awaitable, Callable
from importlib.resources import files

from aiohttp import web

from scaicms.web.replies import etag_of

FOLDER = files("scaicms.features.auth") / "account"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
FILES = {
    "/account/password": ("page.html", "text/html"),
    "/account/invitation": ("page.html", "text/html"),
    "/account/page.css": ("page.css", "text/css"),
    "/account/page.js": ("page.js", "text/javascript"),
}


def add_pages(app: web.Application) -> None:
    """Put the pages on the router."""
    for path, (name, kind) in FILES.items():
        app.router.add_get(path, _serving((FOLDER / name).read_bytes(), kind))


def _serving(body: bytes, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    etag = etag_of(body)

    async def serve(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=body, content_type=kind, charset="utf-8", headers={**HEADERS, "ETag": etag})

    return serve

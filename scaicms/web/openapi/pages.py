"""`GET /openapi.json` and `GET /docs`, Swagger UI served from here: no other host is asked for anything."""

import asyncio
from functools import lru_cache
from importlib.resources import files

from aiohttp import web

from scaicms.kit import json
from scaicms.web.openapi.builder import openapi_document
from scaicms.web.replies import conditional, etag_of

ASSETS = files("scaicms.web") / "static" / "swagger-ui"
_TYPES = {".css": "text/css", ".js": "text/javascript"}
NAMES = ("swagger-ui.css", "swagger-ui-bundle.js", "init.js")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>scaiCMS API</title><link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs/assets/init.js"></script></body>
</html>
"""


def setup_openapi(app: web.Application, public_url: str | None = None) -> None:
    """Add the document and its page. Few processes are ever asked for them, so neither is made or held before."""

    @lru_cache(maxsize=1)
    def made() -> bytes:
        return json.dumps(openapi_document(app, public_url))

    async def document(request: web.Request) -> web.Response:
        # To make it takes half a second; once it is made, a thread takes no time.
        response = conditional(request, await asyncio.to_thread(made))
        if response.status == 200:  # a 304 has no body, and aiohttp fails over compressing none
            response.enable_compression()
        return response

    app.router.add_get("/openapi.json", document)
    app.router.add_get("/api/v1/openapi.json", document)
    app.router.add_get("/docs", page)
    app.router.add_get("/docs/assets/{name}", asset)


async def asset(request: web.Request) -> web.Response:
    """A file of Swagger UI."""
    name = request.match_info["name"]
    if name not in NAMES:
        raise web.HTTPNotFound
    content = await asyncio.to_thread((ASSETS / name).read_bytes)
    tag = etag_of(content)
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    kind = _TYPES["." + name.rsplit(".", 1)[1]]
    response = web.Response(body=content, content_type=kind, headers={"ETag": tag})
    response.headers["Cache-Control"] = "public, max-age=3600"
    response.enable_compression()
    return response


async def page(_: web.Request) -> web.Response:
    """The interactive page."""
    return web.Response(text=PAGE, content_type="text/html", headers={"Content-Security-Policy": POLICY})

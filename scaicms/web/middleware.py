"""The one middleware around every request: id, errors, access log, metrics, safe headers."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache

from aiohttp import web
from prometheus_client import Histogram

from scaicms.infra import logs
from scaicms.infra.logs import log_access
from scaicms.kit.ids import new_id
from scaicms.web.clients import client_address
from scaicms.web.errors import error_response, to_app_error
from scaicms.web.ports import ADDRESS, PRINCIPAL, TRUSTED_PROXIES

AiohttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# An id from the caller is kept if it cannot do harm in a log line.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_seconds = Histogram(
    "scaicms_http_seconds",
    "Duration of requests",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

API = "/api/"
VARY = "Authorization, X-Site-ID"


@web.middleware
async def outer(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
    """Everything that happens to a request happens inside this call."""
    started = time.perf_counter()
    asked = request.headers.get("X-Request-ID")
    request_id = asked if asked and _REQUEST_ID.fullmatch(asked) else str(new_id())
    # Not reset at the end: the task serves this connection alone, and its next request sets it anew.
    logs.request_id.set(request_id)
    _name_task(request, request_id)
    address = client_address(request, request.app[TRUSTED_PROXIES])
    request[ADDRESS] = address
    logs.client_address.set(address)
    try:
        response = await handler(request)
    except Exception as error:  # noqa: BLE001 - the boundary: no exception leaves as a traceback
        response = error_response(to_app_error(error), request_id)
    if not response.prepared:
        response.headers["X-Request-ID"] = request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.rel_url.raw_path.startswith(API):
            # One address has as many answers as there are sites and callers: no cache in between may mix them up.
            response.headers["Vary"] = VARY
    _account(request, response, time.perf_counter() - started)
    return response


@lru_cache(maxsize=4096)
def _timer(method: str, route: str, status: int) -> Histogram:
    """One series of the histogram; looking it up by labels costs more than observing."""
    return _seconds.labels(method if method in METHODS else "other", route, status)


def _name_task(request: web.Request, request_id: str) -> None:
    """For the watchdog, which sees which task keeps the loop."""
    if (task := asyncio.current_task()) is not None:
        task.set_name(f"{request.method} {_route_of(request)} {request_id}")


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"


def _account(request: web.Request, response: web.StreamResponse, seconds: float) -> None:
    _timer(request.method, _route_of(request), response.status).observe(seconds)
    principal = request.get(PRINCIPAL)
    log_access(
        {
            "method": request.method,
            "path": request.rel_url.raw_path,
            "status": response.status,
            "ms": round(seconds * 1000, 2),
            "bytes": response.content_length,
            "ip": request[ADDRESS],
            "principal": principal.name if principal is not None else None,
        }
    )

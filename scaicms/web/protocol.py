"""Answers that aiohttp makes before or beside the application: unreadable requests, and the `Server` header.

aiohttp has no settings for these, so its own are replaced, once a process. A version in an answer tells an attacker
which faults to try (RFC 9110 §10.2.4).
"""

import structlog
from aiohttp import web, web_response
from aiohttp.web_protocol import RequestHandler

from scaicms.kit import json
from scaicms.kit.errors import AppError, BadRequestError, UnavailableError
from scaicms.kit.ids import new_id
from scaicms.web.errors import error_detail

SERVER = "scaiCMS"
log = structlog.get_logger(__name__)


def install() -> None:
    """Replace aiohttp's `Server` header and its answers to requests that cannot be parsed."""
    web_response.SERVER_SOFTWARE = SERVER  # type: ignore[attr-defined]  # aiohttp reads its own import, not a setting
    setattr(RequestHandler, "handle_error", _answer_unreadable)  # noqa: B010 - aiohttp has no hook for it


def _answer_unreadable(
    _: RequestHandler,
    request: web.BaseRequest,
    status: int = 500,
    exc: BaseException | None = None,
    message: str | None = None,
) -> web.StreamResponse:
    """The JSON error for a request that never reached a route. `message` repeats bytes of the caller: not shown."""
    if request.writer.output_size > 0:
        raise ConnectionError("The response has begun already.")
    if status >= 500:
        log.error("request.crashed", exc_info=exc)
    else:
        log.info("request.unreadable", error=type(exc).__name__)
    error: AppError = BadRequestError() if status < 500 else AppError()
    if status == 504:
        error = UnavailableError()
    request_id = str(new_id())
    body = json.dumps({"detail": error_detail(error, request_id)})
    headers = {"X-Request-ID": request_id, "X-Content-Type-Options": "nosniff", **error.headers}
    response = web.Response(status=error.status, body=body, content_type="application/json", headers=headers)
    response.force_close()
    return response

"""From an operation to an aiohttp handler: authenticate, find the site, check the permission, call."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp_apispec import docs

from scaicms.infra import db
from scaicms.kit.errors import BadRequestError, NotFoundError, UnknownParameterError
from scaicms.kit.principal import ANONYMOUS
from scaicms.web.admission import admit, find_site, has_preview_token
from scaicms.web.call import Call
from scaicms.web.idempotency import KeyNotTakenError, answer_once
from scaicms.web.operation import Operation
from scaicms.web.ports import ADDRESS, AUTHENTICATOR, PRINCIPAL

API_PREFIX = "/api/v1"
QUERY_LIMIT_BYTES = 8 * 1024

AiohttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def bind(operation: Operation) -> AiohttpHandler:
    """The aiohttp handler of an operation. What does not depend on the request is decided here, once."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.query_string:
            _check_query(request, operation)
        if has_preview_token(request):
            return await _previewed(request, operation)
        site = await find_site(request) if operation.site else None
        if operation.public is not None and not operation.site:
            principal = ANONYMOUS
        else:
            principal = await request.app[AUTHENTICATOR].authenticate(
                request.headers.get("Authorization"), site, request[ADDRESS]
            )
        admit(operation, principal, site)
        request[PRINCIPAL] = principal
        call = Call(request, operation, principal, site)
        if "Idempotency-Key" in request.headers and operation.method == "POST" and not operation.reads:
            if not operation.takes_idempotency_key:
                raise KeyNotTakenError
            return await db.again(lambda: answer_once(call, operation.handler))
        if operation.method == "GET" or operation.multipart is not None:
            # What has begun to answer, or has read a body that is not kept, cannot begin anew.
            return await operation.handler(call)
        return await db.again(lambda: operation.handler(call))

    handle.__name__ = operation.name
    handle.__qualname__ = f"{operation.tag}.{operation.name}"
    described = docs(
        tags=[operation.tag],
        summary=operation.summary,
        description=operation.description,
        operation=operation,
    )
    bound: AiohttpHandler = described(handle)
    return bound


async def _previewed(request: web.Request, operation: Operation) -> web.StreamResponse:
    """The answer to a token that opens one draft: nothing else is there, whatever everybody may see."""
    if operation.preview is None:
        raise NotFoundError
    site = await find_site(request) if operation.site else None
    return await operation.preview(Call(request, operation, ANONYMOUS, site))


def _check_query(request: web.Request, operation: Operation) -> None:
    if len(request.rel_url.raw_query_string) > QUERY_LIMIT_BYTES:
        raise BadRequestError(f"The query is longer than {QUERY_LIMIT_BYTES} bytes.", code="query_too_long")
    if "%00" in request.rel_url.raw_query_string:
        # Nothing that is stored holds it, and PostgreSQL takes no such text to compare with.
        raise BadRequestError("No parameter holds the character U+0000.", code="invalid_parameter")
    if operation.query is None and not operation.open_query:
        raise UnknownParameterError("This operation takes no query parameters.")


def add_operations(app: web.Application, operations: list[Operation]) -> None:
    """Put operations on the router. GET answers HEAD too (RFC 9110 §9.3.2)."""
    for operation in operations:
        path = API_PREFIX + operation.path
        if operation.method == "GET":
            app.router.add_get(path, bind(operation), allow_head=True)
        else:
            app.router.add_route(operation.method, path, bind(operation))

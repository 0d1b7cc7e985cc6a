"""The document: aiohttp-apispec's walk over the router, with OpenAPI 3.1 and pydantic in place of Swagger 2.0 and
marshmallow (docs/adr/0004)."""

from typing import Any

from aiohttp import web
from aiohttp_apispec.aiohttp_apispec import AiohttpApiSpec
from apispec import APISpec
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import JsonSchemaMode

from scaicms import __version__
from scaicms.kit.schemas import Answer
from scaicms.web.idempotency import MAX_KEY_CHARACTERS
from scaicms.web.openapi.describe import describe
from scaicms.web.openapi.plugin import PydanticPlugin
from scaicms.web.operation import Operation

DESCRIPTION = """Multi-site, API-first content management.

Lists are `{"items", "total"}`; errors are `{"detail": {"code", "message", "request_id", "errors"?}}`. Authenticate
with `Authorization: Bearer`, an access token from `POST /auth/login` or an API key (`scai_…`). Operations on the
content of a site name it in `X-Site-ID`. Unknown query parameters and body keys are refused. JSON bodies may be sent
with `Content-Encoding: gzip` or `deflate`; limits count the decoded bytes."""

_PARAMETERS = {
    "SiteID": ("X-Site-ID", True, "The site, by id or key."),
    "IdempotencyKey": ("Idempotency-Key", False, "Repeating the request with it gives the first answer, 24 h."),
    "IfNoneMatch": ("If-None-Match", False, 'Answer 304 if this ETag is current, such as `"v7-1a2b3c4d5e6f"`.'),
    "Range": ("Range", False, "Send one part of the file alone, such as `bytes=0-1023`."),
    "IfMatch": ("If-Match", False, 'Write only if this ETag is current, such as `"v7"`, else 412.'),
}
_BOUNDS = {"IdempotencyKey": {"minLength": 1, "maxLength": MAX_KEY_CHARACTERS, "pattern": "^[ -~]+$"}}
_HEADERS = {
    "RequestID": "Names the request in logs and errors.",
    "ETag": "Validator of what was answered.",
    "Location": "Where the resource is, or the job that makes it.",
    "RetryAfter": "Seconds to wait.",
    "WWWAuthenticate": "How to authenticate.",
}


class ErrorItem(Answer):
    pointer: str = Field(description="JSON pointer (RFC 6901) into the body, or the parameter's name.")
    code: str
    message: str


class ErrorDetail(Answer):
    """What was wrong, where, and under which request id the logs have it. Some errors add members."""

    model_config = ConfigDict(extra="allow")

    code: str
    message: str
    request_id: str
    errors: list[ErrorItem] | None = None


class Error(Answer):
    detail: ErrorDetail


class OpenApiSpec(AiohttpApiSpec):  # type: ignore[misc]  # the library has no types
    """aiohttp-apispec fixed to Swagger 2.0 and marshmallow; the walk over the router and `docs` are kept."""

    def __init__(self, plugin: PydanticPlugin, public_url: str | None) -> None:
        self._pydantic = plugin
        self.prefix = ""
        self.spec = APISpec(
            title="scaiCMS",
            version=__version__,
            openapi_version="3.1.0",
            info={"description": DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
            servers=[{"url": public_url or "/"}],
            plugins=[plugin],
        )
        _add_components(self.spec)

    def _update_paths(self, data: dict[str, Any], method: str, url_path: str) -> None:
        """Called by the library for each route whose handler carries `docs`; HEAD is implied by GET."""
        operation = data.get("operation")
        if isinstance(operation, Operation) and method != "head":
            self.spec.path(path=url_path, operations={method: describe(operation, self._pydantic)})

    def document(self, app: web.Application) -> dict[str, Any]:
        for route in app.router.routes():
            self._register_route(route, route.method.lower(), route.handler)
        document: dict[str, Any] = self.spec.to_dict()
        return document


def openapi_document(app: web.Application, public_url: str | None = None) -> dict[str, Any]:
    """The OpenAPI 3.1 document of an application's declared operations, reached at `public_url`."""
    operations = [
        operation
        for route in app.router.routes()
        if isinstance(operation := getattr(route.handler, "__apispec__", {}).get("operation"), Operation)
    ]
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Error, "serialization")]
    models += [(operation.body, "validation") for operation in operations if operation.body is not None]
    models += [(operation.response, "serialization") for operation in operations if operation.response is not None]
    return OpenApiSpec(PydanticPlugin(models), public_url).document(app)


def _add_components(spec: APISpec) -> None:
    spec.components.security_scheme(
        "bearer",
        {"type": "http", "scheme": "bearer", "description": "An access token (JWT) or an API key (`scai_…`)."},
    )
    for name, (header, required, description) in _PARAMETERS.items():
        about: dict[str, Any] = {"name": header, "required": required, "description": description}
        # The page fills examples in: an optional header of somebody else's would make every try fail.
        if required:
            about["example"] = "demo"
        spec.components.parameter(name, "header", {**about, "schema": {"type": "string", **_BOUNDS.get(name, {})}})
    for name, description in _HEADERS.items():
        spec.components.header(name, {"description": description, "schema": {"type": "string"}})

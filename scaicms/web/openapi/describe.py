"""One declared operation as an OpenAPI operation object."""

from http import HTTPStatus
from string import Formatter
from typing import Any

from pydantic import BaseModel

from scaicms.kit.errors import StorageFullError
from scaicms.web.openapi.examples import EXAMPLE_ID, event_of
from scaicms.web.openapi.plugin import PydanticPlugin
from scaicms.web.operation import ANY, BYTES, Operation

ERRORS: dict[int, tuple[str, str]] = {
    400: ("bad_request", "The request could not be read."),
    401: ("unauthorized", "This needs a valid Bearer token or API key in the Authorization header."),
    403: ("forbidden", "You may not do this."),
    404: ("not_found", "There is nothing here with this id."),
    409: ("conflict", "This clashes with what is stored."),
    410: ("gone", "This was removed for good."),
    412: ("precondition_failed", "The resource has changed since you read it."),
    413: ("too_large", "The body is larger than 1048576 bytes."),
    415: ("unsupported_media_type", "Send the body as application/json."),
    416: ("range_not_satisfiable", "The file has no such bytes; Content-Range says how many it has."),
    422: ("invalid", "The body is not valid."),
    429: ("too_many_requests", "Too many requests."),
    500: ("internal_error", "Something went wrong on our side."),
    507: ("storage_full", StorageFullError.message),
    503: ("unavailable", "A part of the system cannot be reached; try again."),
}
_PATH_DESCRIPTIONS = {
    "key": "Key of the content type.",
    "type": "Key of the content type.",
    "slug": "Slug of the item.",
    "queue": "Name of the queue.",
    "provider": "Key of the login provider.",
}


def describe(operation: Operation, plugin: PydanticPlugin) -> dict[str, Any]:
    """Everything a client needs to know of an operation."""
    described: dict[str, Any] = {
        "operationId": f"{operation.tag.replace('-', '_')}_{operation.name}",
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [*_path(operation), *_query(operation, plugin), *_headers(operation)],
        "responses": _responses(operation, plugin),
        "security": _security(operation),
    }
    if operation.description:
        described["description"] = operation.description
    if operation.permission is not None:
        described["x-permission"] = operation.permission.code
    body = _body(operation, plugin)
    if body is not None:
        described["requestBody"] = body
    return described


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.public is not None:
        return []
    bearer: list[dict[str, list[str]]] = [{"bearer": []}]
    # Anonymous callers of a site have what its public role grants.
    return [*bearer, {}] if operation.site else bearer


def _path(operation: Operation) -> list[dict[str, Any]]:
    names = [name for _, name, _, _ in Formatter().parse(operation.path) if name]
    return [
        {
            "in": "path",
            "name": name,
            "required": True,
            "description": _PATH_DESCRIPTIONS.get(name, "The id; for sites and roles also the key."),
            "schema": {"type": "string", "minLength": 1},
            "example": EXAMPLE_ID if name.endswith("id") else "article",
        }
        for name in names
    ]


def _query(operation: Operation, plugin: PydanticPlugin) -> list[dict[str, Any]]:
    parameters = []
    if operation.query is not None:
        schema = operation.query.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, about in schema["properties"].items():
            parameter = {"in": "query", "name": name, "required": name in schema.get("required", ()), "schema": about}
            if "description" in about:
                parameter["description"] = about.pop("description")
            parameters.append(parameter)
    for prefix in operation.open_query:
        name = prefix.rstrip("[")
        parameters.append(
            {
                "in": "query",
                "name": name,
                "style": "deepObject",
                "explode": True,
                "schema": {"type": "object", "additionalProperties": {"type": "string"}},
                "description": f"`{name}[path]=value` or `{name}[path][operator]=value`; see the filter guide.",
            }
        )
    return parameters


def _headers(operation: Operation) -> list[str]:
    """Names of shared parameters; apispec makes references of them."""
    names = []
    if operation.site:
        names.append("SiteID")
    if operation.takes_idempotency_key:
        names.append("IdempotencyKey")
    if operation.conditional:
        names.append("IfNoneMatch" if operation.method == "GET" else "IfMatch")
    if operation.ranges:
        names.append("Range")
    return names


def _body(operation: Operation, plugin: PydanticPlugin) -> dict[str, Any] | None:
    if operation.multipart is not None:
        properties = {
            name: {
                "type": "string",
                "description": about,
                **({"contentMediaType": "application/octet-stream"} if name == "file" else {}),
            }
            for name, about in operation.multipart.items()
        }
        required = list(operation.multipart_required)
        schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    if operation.body is None:
        return None
    media: dict[str, Any] = {"schema": plugin.reference(operation.body, "validation")}
    if operation.body_example is not None:
        media["example"] = operation.body_example
    return {"required": operation.body_required, "content": {"application/json": media}}


def _responses(operation: Operation, plugin: PydanticPlugin) -> dict[str, Any]:
    made = {"201": _success(operation, plugin, 201)} if operation.creates else {}
    if operation.ranges:
        made["206"] = _success(operation, plugin, 206)
    return {
        str(operation.status): _success(operation, plugin, operation.status),
        **made,
        **{str(status): error_response(status) for status in sorted(_statuses(operation))},
    }


def _success(operation: Operation, plugin: PydanticPlugin, status: int) -> dict[str, Any]:
    headers = ["RequestID"]
    if operation.conditional and operation.method != "DELETE":
        headers.append("ETag")
    if status in (201, 202, 302):
        headers.append("Location")
    names = {"RequestID": "X-Request-ID"}
    success: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "headers": {names.get(name, name): {"$ref": f"#/components/headers/{name}"} for name in headers},
    }
    model: type[BaseModel] | None = operation.response
    if model is not None:
        schema, example = plugin.reference(model, "serialization"), plugin.example(model)
        if operation.is_stream:
            schema, example = _event(schema), event_of(example)
        success["content"] = {operation.media_type: {"schema": schema, "example": example}}
    elif status not in (204, 302, 304):
        success["content"] = {operation.media_type: {"schema": _schema_of(operation.media_type)}}
        if operation.response_example is not None:
            success["content"][operation.media_type]["example"] = operation.response_example
    return success


def _schema_of(media_type: str) -> dict[str, str]:
    """Of an answer without a model."""
    if media_type == ANY:
        return {"type": "string", "contentMediaType": BYTES}
    return {"type": "string" if media_type.startswith("text/") else "object"}


def _event(schema: dict[str, Any]) -> dict[str, Any]:
    """One Server-Sent Event: its fields are text, and the text of `data` is JSON of this schema."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    return {"type": "object", "properties": {"event": {"type": "string"}, "data": data}, "required": ["data"]}


def _statuses(operation: Operation) -> set[int]:
    statuses = {400, 429, 500, 503, *operation.errors}
    if operation.method != "GET" and not operation.reads:
        statuses.add(507)
    if operation.public is None:
        statuses |= {401, 403}
    if operation.body is not None or operation.multipart is not None:
        statuses |= {413, 415, 422}
    if operation.method == "POST":
        statuses |= {409, 413, 415, 422}
    if operation.site:
        statuses |= {403, 422}
    if operation.ranges:
        statuses.add(416)
    if operation.conditional:
        statuses.add(304 if operation.method == "GET" else 412)
    return statuses


def error_response(status: int) -> dict[str, Any]:
    """An error as every operation answers it."""
    if status == HTTPStatus.NOT_MODIFIED:
        return {"description": "The caller has the current version."}
    code, message = ERRORS[status]
    detail = {"code": code, "message": message, "request_id": EXAMPLE_ID}
    headers = {401: ("WWW-Authenticate", "WWWAuthenticate"), 429: ("Retry-After", "RetryAfter")}
    described: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Error"}, "example": {"detail": detail}}
        },
    }
    if status in headers:
        name, component = headers[status]
        described["headers"] = {name: {"$ref": f"#/components/headers/{component}"}}
    return described

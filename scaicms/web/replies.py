"""Answers: models to JSON, lists to `{"items", "total"}`, ETags and conditional requests (RFC 9110 §13)."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel

from scaicms.kit.errors import PreconditionFailedError
from scaicms.kit.schemas import Listed

ModelT = TypeVar("ModelT", bound=BaseModel)
RowT = TypeVar("RowT")
_VERSIONED = re.compile(r'(?:W/)?"v(\d{1,9})(?:-[0-9a-f]+)?"')
JSON_TYPE = "application/json; charset=utf-8"


class Page(Listed, Generic[ModelT]):
    """A page of a list."""

    items: Sequence[ModelT]


def json_reply(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Bytes that are JSON already."""
    return web.Response(status=status, body=body, headers={"Content-Type": JSON_TYPE, **(headers or {})})


def reply(model: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """One object."""
    return json_reply(model.__pydantic_serializer__.to_json(model), status=status, headers=headers)


async def reply_large(model: BaseModel) -> web.Response:
    """An object that may have many megabytes: its JSON is written in a thread."""
    return json_reply(await asyncio.to_thread(model.__pydantic_serializer__.to_json, model))


def created(model: BaseModel, location: str) -> web.Response:
    return reply(model, status=201, headers={"Location": location})


def accepted(model: BaseModel, location: str) -> web.Response:
    """Handed to a worker; `location` is where to look how it goes."""
    return reply(model, status=202, headers={"Location": location})


def no_content() -> web.Response:
    return web.Response(status=204)


def etag_of(body: bytes) -> str:
    """A strong validator of these very bytes (RFC 9110 §8.8.3)."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def conditional(
    request: web.Request, body: bytes, etag: str | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A GET of one resource: 304 when `If-None-Match` names what the caller already has."""
    tag = etag or etag_of(body)
    if not_modified(request, tag):
        return web.Response(status=304, headers={"ETag": tag, **(headers or {})})
    return json_reply(body, headers={"ETag": tag, **(headers or {})})


def not_modified(request: web.Request, tag: str) -> bool:
    """Whether `If-None-Match` names what the caller already has."""
    asked = request.headers.get("If-None-Match")
    return asked is not None and _matches(asked, tag)


def conditional_reply(request: web.Request, model: BaseModel, etag: str | None = None) -> web.Response:
    return conditional(request, model.__pydantic_serializer__.to_json(model), etag)


def require_match(request: web.Request, current: str) -> None:
    """Raise 412, naming the current version, unless `If-Match` is absent or names it (RFC 9110 §13.1.1)."""
    asked = request.headers.get("If-Match")
    if asked is not None and not _matches(asked, current):
        raise PreconditionFailedError(headers={"ETag": current}, extra={"current_etag": current})


def matcher(request: web.Request, etag_of_row: Callable[[RowT], str]) -> Callable[[RowT], None]:
    """`require_match` for a service to call once it holds the row: a check before the lock could be overtaken."""
    return lambda row: require_match(request, etag_of_row(row))


def expected_version(request: web.Request) -> int | None:
    """The version that `If-Match` names, for resources whose ETags begin with one (`"v7"`, `"v7-1a2b3c"`).

    None without the header, or for `*`.

    Raises:
        PreconditionFailedError: the header holds no ETag of ours, so nothing stored can match it.
    """
    asked = request.headers.get("If-Match")
    if asked is None or asked.strip() == "*":
        return None
    matched = _VERSIONED.fullmatch(asked.strip())
    if matched is None:
        raise PreconditionFailedError('If-Match takes one ETag as this API gives it, like "v7".')
    return int(matched[1])


def _matches(header: str, tag: str) -> bool:
    if header.strip() == "*":
        return True
    return any(candidate.strip().removeprefix("W/") == tag for candidate in header.split(","))

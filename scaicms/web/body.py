"""Reading bodies with bounds: size, pace, depth. aiohttp bounds neither slow bodies nor multipart by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError

from scaicms.kit import json
from scaicms.kit.errors import (
    BadRequestError,
    InvalidError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from scaicms.kit.schemas import field_errors
from scaicms.web.decoding import Decoder, coding_of

CHUNK_BYTES = 64 * 1024
LARGE_BYTES = 32 * 1024
"""Larger bodies are parsed in a thread: the event loop goes on in between."""
MAX_VALUES = 20_000
"""Members and elements of a body. Each one that is wrong costs microseconds during which nothing else runs."""
MAX_CONTAINERS = 100_000
"""Arrays and objects of a body. Python makes an object of each, whenever the JSON is read."""
FREE_MEMBERS = frozenset({"data", "settings", "filter"})
"""Their content is any JSON; what it is for checks it."""


ReadT = TypeVar("ReadT")


async def paced(reading: Awaitable[ReadT], idle_seconds: float) -> ReadT:
    """Wait for the next piece of a body.

    Raises:
        BadRequestError: the client sent nothing for `idle_seconds`, or its framing is broken (chunks, length).
    """
    try:
        async with asyncio.timeout(idle_seconds):
            return await reading
    except HttpProcessingError:
        message = "The body is not framed as its headers say: check Content-Length and Transfer-Encoding."
        raise BadRequestError(message, code="invalid_transfer", headers={"Connection": "close"}) from None
    except TimeoutError:
        message = f"The body stopped arriving for {idle_seconds:g} s."
        raise BadRequestError(message, code="body_timeout", headers={"Connection": "close"}) from None


async def stream_body(request: web.Request, *, limit: int, idle_seconds: float) -> AsyncIterator[bytes]:
    """The body in chunks, decoded where it has a Content-Encoding.

    Raises:
        TooLargeError: more than `limit` bytes, announced, sent or decoded.
        BadRequestError: the client sent nothing for `idle_seconds`, or what it sent cannot be read.
        UnsupportedMediaTypeError: an unknown Content-Encoding.
    """
    coding = coding_of(request)
    if (request.content_length or 0) > limit:
        raise TooLargeError(f"The body is larger than {limit} bytes.")
    seen = 0
    pieces = _sent(request, idle_seconds) if coding is None else _decoded(request, coding, idle_seconds, limit)
    async for piece in pieces:
        seen += len(piece)
        if seen > limit:
            raise TooLargeError(f"The body is larger than {limit} bytes.")
        yield piece


async def _sent(request: web.Request, idle_seconds: float) -> AsyncIterator[bytes]:
    while chunk := await paced(request.content.read(CHUNK_BYTES), idle_seconds):
        yield chunk


async def _decoded(request: web.Request, coding: str, idle_seconds: float, limit: int) -> AsyncIterator[bytes]:
    decoder, is_empty, sent = Decoder(coding), True, 0
    async for chunk in _sent(request, idle_seconds):
        is_empty = False
        sent += len(chunk)
        if sent > limit:  # a coding has parts that decode to nothing, and may have any number of them
            raise TooLargeError(f"The body is larger than {limit} bytes.")
        for piece in decoder.decode(chunk):
            yield piece
    if is_empty:  # a request without a body may name a coding all the same
        return
    for piece in decoder.finish():
        yield piece


async def read_body(request: web.Request, *, limit: int, idle_seconds: float) -> bytes:
    """The whole body; the same bounds and errors as `stream_body`."""
    return b"".join([chunk async for chunk in stream_body(request, limit=limit, idle_seconds=idle_seconds)])


def parse_json(request: web.Request, raw: bytes) -> Any:
    """A JSON value from a body that says it is JSON."""
    if request.content_type != "application/json" and not request.content_type.endswith("+json"):
        raise UnsupportedMediaTypeError("Send the body as application/json.")
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaTypeError("JSON is UTF-8 (RFC 8259 §8.1).")
    try:
        return json.loads_bounded(raw, max_containers=MAX_CONTAINERS)
    except json.JSONDepthError as error:
        raise BadRequestError(f"The JSON is {error}.", code="json_too_deep") from None
    except json.JSONSizeError as error:
        raise TooLargeError(f"The JSON {error}.") from None
    except ValueError as error:
        raise BadRequestError(f"The body is not valid JSON: {error}.", code="invalid_json") from None


async def read_json(request: web.Request, raw: bytes, model: type[BaseModel], *, required: bool) -> Any:
    """A JSON body as an instance of `model`."""

    def parse() -> Any:
        if raw or required:
            _check_values(parse_json(request, raw))
        return _validate_json(model, raw or b"{}")

    is_small = len(raw) <= LARGE_BYTES and not getattr(model, "is_slow", False)
    return parse() if is_small else await asyncio.to_thread(parse)


def _check_values(value: Any) -> None:
    """Refuse a body of too many values before each of them is checked."""
    count, level = 0, [value]
    while level:
        found: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                found += [member for name, member in one.items() if name not in FREE_MEMBERS]
            elif isinstance(one, list):
                found += one
        count += len(found)
        if count > MAX_VALUES:
            names = ", ".join(sorted(FREE_MEMBERS))
            raise TooLargeError(f"A body has at most {MAX_VALUES:,} values, those in {names} not counted.")
        level = found


def _validate_json(model: type[BaseModel], raw: bytes) -> Any:
    """Strictly: no number for a time, no text for a number, as the OpenAPI document says."""
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise InvalidError(errors=field_errors(error)) from None


def validate(model: type[BaseModel], value: Any, *, prefix: str = "") -> Any:
    """`value` as an instance of `model`; errors are JSON pointers below `prefix`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidError(errors=field_errors(error, prefix)) from None

"""Reading bodies with bounds: size, pace, depth. aiohttp bounds neither slow bodies nor multipart by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from scaicms.kit import json
from scaicms.kit.errors import (
    BadRequestError,
    InvalidError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from scaicms.kit.schemas import field_errors

CHUNK_BYTES = 64 * 1024


ReadT = TypeVar("ReadT")


async def paced(reading: Awaitable[ReadT], idle_seconds: float) -> ReadT:
    """Wait for the next piece of a body.

    Raises:
        BadRequestError: the client sent nothing for `idle_seconds`.
    """
    try:
        async with asyncio.timeout(idle_seconds):
            return await reading
    except TimeoutError:
        message = f"The body stopped arriving for {idle_seconds:g} s."
        raise BadRequestError(message, code="body_timeout", headers={"Connection": "close"}) from None


async def stream_body(request: web.Request, *, limit: int, idle_seconds: float) -> AsyncIterator[bytes]:
    """The body in chunks.

    Raises:
        TooLargeError: more than `limit` bytes, announced or sent.
        BadRequestError: the client sent nothing for `idle_seconds`, or went away.
    """
    if (request.content_length or 0) > limit:
        raise TooLargeError(f"The body is larger than {limit} bytes.")
    seen = 0
    while True:
        chunk = await paced(request.content.read(CHUNK_BYTES), idle_seconds)
        if not chunk:
            return
        seen += len(chunk)
        if seen > limit:
            raise TooLargeError(f"The body is larger than {limit} bytes.")
        yield chunk


async def read_body(request: web.Request, *, limit: int, idle_seconds: float) -> bytes:
    """The whole body; the same bounds and errors as `stream_body`."""
    return b"".join([chunk async for chunk in stream_body(request, limit=limit, idle_seconds=idle_seconds)])


def parse_json(request: web.Request, raw: bytes) -> Any:
    """A JSON value from a body that says it is JSON."""
    if request.content_type != "application/json" and not request.content_type.endswith("+json"):
        raise UnsupportedMediaTypeError("Send the body as application/json.")
    if request.charset not in (None, "utf-8", "UTF-8"):
        raise UnsupportedMediaTypeError("JSON is UTF-8 (RFC 8259 §8.1).")
    try:
        return json.loads_bounded(raw)
    except json.JSONDepthError as error:
        raise BadRequestError(f"The JSON is {error}.", code="json_too_deep") from None
    except ValueError as error:
        raise BadRequestError(f"The body is not valid JSON: {error}.", code="invalid_json") from None


def validate_json(model: type[BaseModel], raw: bytes) -> Any:
    """A JSON body that `parse_json` let pass, as an instance of `model`. Strictly: no number for a time, no text for a
    number, as the OpenAPI document says."""
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

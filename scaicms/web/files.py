"""Sending stored bytes: whole or in part (RFC 9110 §14), at the pace of who takes them and the memory of one piece."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from urllib.parse import quote

from aiohttp import web

from scaicms.infra import logs
from scaicms.kit.errors import AppError, UnavailableError
from scaicms.web.admission import require_same_rights
from scaicms.web.call import Call
from scaicms.web.ndjson import STALL_SECONDS
from scaicms.web.replies import not_modified
from scaicms.web.streams import FILES, STREAMS

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
Pieces = Callable[[int, int], AsyncGenerator[bytes, None]]
"""The bytes from a place up to before another."""


class RangeNotSatisfiableError(AppError):
    status, code = 416, "range_not_satisfiable"
    message = "The file has no such bytes; Content-Range says how many it has."


async def send_file(
    call: Call, pieces: Pieces, *, size: int, etag: str, headers: Mapping[str, str]
) -> web.StreamResponse:
    """The file, or the one part of it that `Range` asks for; 304 to who has it. Of several parts at once, which one may
    leave alone, all is sent.

    Raises:
        RangeNotSatisfiableError: the part begins after the end.
        TooManyRequestsError, UnavailableError: too many files are being sent, to the caller or in all.
    """
    request = call.request
    about = {"ETag": etag, "Accept-Ranges": "bytes", **headers}
    if not_modified(request, etag):
        return web.Response(status=304, headers=about)
    part = _part(request, size, etag)
    start, end = part or (0, size)
    response = web.StreamResponse(status=206 if part else 200, headers=about)
    if part:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    response.content_length = end - start
    response.headers["X-Request-ID"] = logs.request_id.get() or ""
    if request.method == "HEAD":
        await response.prepare(request)
        await response.write_eof()
        return response
    with request.app[STREAMS].open(FILES, call):
        await _stream(call, response, pieces(start, end))
    return response


async def _stream(call: Call, response: web.StreamResponse, pieces: AsyncGenerator[bytes, None]) -> None:
    """What fails before the first piece is an ordinary error; what fails later cuts the connection, so that half a file
    is not taken for a whole one: so does a change of the caller's rights."""
    request = call.request
    async with contextlib.aclosing(pieces):
        try:
            first = await anext(pieces, b"")
        except FileNotFoundError:
            raise UnavailableError("The file is not in the storage.") from None
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # the client is gone: nobody is left to tell
            try:
                await _send(response, first)
                async for piece in pieces:
                    await require_same_rights(call)
                    await _send(response, piece)
                await response.write_eof()
            except Exception:  # whatever it was: it goes on as it came
                if request.transport is not None:
                    request.transport.abort()
                raise


async def _send(response: web.StreamResponse, piece: bytes) -> None:
    async with asyncio.timeout(STALL_SECONDS):
        await response.write(piece)


def _part(request: web.Request, size: int, etag: str) -> tuple[int, int] | None:
    """Where the part begins and ends that is asked for; None: all."""
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if asked is None or request.headers.get("If-Range", etag).strip() != etag or not (asked[1] or asked[2]):
        return None
    if not asked[1]:
        start, end = max(0, size - int(asked[2])), size
    else:
        start, end = int(asked[1]), min(size, int(asked[2]) + 1) if asked[2] else size
    if asked[1] and asked[2] and int(asked[2]) < int(asked[1]):
        return None  # no valid range at all (§14.1.1), so there is none
    if start >= size:
        raise RangeNotSatisfiableError(headers={"Content-Range": f"bytes */{size}"})
    return start, end


def disposition(kind: str, filename: str) -> str:
    """`Content-Disposition` with a name in any script (RFC 6266 §4, RFC 8187)."""
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", filename)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"

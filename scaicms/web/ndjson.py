"""Answers of one JSON value a line (https://github.com/ndjson/ndjson-spec), streamed."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from aiohttp import web

from scaicms.infra import logs
from scaicms.kit.errors import UnavailableError
from scaicms.web.admission import require_same_rights
from scaicms.web.call import Call
from scaicms.web.ports import DRAINING
from scaicms.web.streams import EXPORTS, STREAMS

NDJSON = "application/x-ndjson"
STALL_SECONDS = 30.0
"""A client that takes nothing for this long is cut off."""


async def stream_ndjson(call: Call, batches: AsyncGenerator[bytes, None], filename: str) -> web.StreamResponse:
    """Send batches of lines as they come, at the memory cost of one. What fails before the first is an ordinary error.

    What fails later cuts the connection, so that half an answer is not taken for a whole one: so do the end of the
    process and a change of the caller's rights.
    """
    request = call.request
    with request.app[STREAMS].open(EXPORTS, call):
        async with contextlib.aclosing(batches):
            return await _answer(call, batches, filename)


async def _answer(call: Call, batches: AsyncGenerator[bytes, None], filename: str) -> web.StreamResponse:
    request = call.request
    first = await anext(batches, b"")
    await require_same_rights(call)
    response = web.StreamResponse(
        headers={
            "Content-Type": NDJSON,
            "Content-Disposition": f'attachment; filename="{filename}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Request-ID": logs.request_id.get() or "",
        }
    )
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    with contextlib.suppress(ConnectionError):  # the client is gone: nobody is left to tell
        try:
            await _send(response, first)
            async for batch in batches:
                if request.app[DRAINING].is_set():
                    raise UnavailableError("This process is about to end.")
                await require_same_rights(call)
                await _send(response, batch)
            await response.write_eof()
        except Exception:
            if request.transport is not None:
                request.transport.abort()
            raise
    return response


async def _send(response: web.StreamResponse, batch: bytes) -> None:
    async with asyncio.timeout(STALL_SECONDS):
        await response.write(batch)

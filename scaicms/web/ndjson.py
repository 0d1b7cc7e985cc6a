"""Answers of one JSON value a line (https://github.com/ndjson/ndjson-spec), streamed."""

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from scaicms.infra import logs

NDJSON = "application/x-ndjson"


async def stream_ndjson(request: web.Request, batches: AsyncIterator[bytes], filename: str) -> web.StreamResponse:
    """Send batches of lines as they come, at the memory cost of one. What fails before the first is an ordinary error;
    what fails later cuts the connection, so that half an answer is not taken for a whole one."""
    first = await anext(batches, b"")
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
    with contextlib.suppress(ConnectionError):  # the client is gone: nobody is left to tell
        try:
            await response.write(first)
            async for batch in batches:
                await response.write(batch)
            await response.write_eof()
        except Exception:
            if request.transport is not None:
                request.transport.abort()
            raise
    return response

"""Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

from aiohttp import web

from scaicms.infra import logs
from scaicms.kit.errors import UnavailableError
from scaicms.web.ports import DRAINING

MAX_STREAMS = 100
LIFE_SECONDS = 600.0
"""A stream ends after this, so that its client is authenticated anew when it comes back."""
RETRY_MILLISECONDS = 2000

_open = 0


class TooManyStreamsError(UnavailableError):
    code, message = "too_many_streams", f"This process serves {MAX_STREAMS} streams already; try again, or poll."


class EventStream:
    """One stream to one client. Use it as a context; hand its `response` back to aiohttp."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
                "X-Content-Type-Options": "nosniff",
                "X-Request-ID": logs.request_id.get() or "",
            }
        )

    async def __aenter__(self) -> Self:
        global _open  # noqa: PLW0603 - one count a process
        if _open >= MAX_STREAMS:
            raise TooManyStreamsError
        _open += 1
        await self.response.prepare(self._request)
        await self.response.write(b"retry: %d\n\n" % RETRY_MILLISECONDS)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        """A client that went away is no error."""
        global _open  # noqa: PLW0603 - one count a process
        _open -= 1
        return kind is not None and issubclass(kind, ConnectionError)

    async def send(self, event: str, data: str) -> None:
        """Send one event; `data` has no line breaks, as JSON of ours has none.

        Raises:
            ConnectionError: the client is gone.
        """
        await self.response.write(f"event: {event}\ndata: {data}\n\n".encode())

    async def every(self, seconds: float) -> AsyncIterator[None]:
        """A tick now and every so many seconds, until the stream's life or the process ends."""
        loop, draining = asyncio.get_running_loop(), self._request.app[DRAINING]
        ends = loop.time() + LIFE_SECONDS
        while loop.time() < ends and not draining.is_set():
            yield
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await draining.wait()

"""Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

from aiohttp import web

from scaicms.infra import logs
from scaicms.kit import json
from scaicms.kit.errors import AppError
from scaicms.kit.principal import Principal
from scaicms.web.admission import admit_again
from scaicms.web.call import Call
from scaicms.web.ndjson import STALL_SECONDS
from scaicms.web.ports import DRAINING
from scaicms.web.streams import EVENTS, STREAMS

LIFE_SECONDS = 600.0
"""A stream ends after this; its client connects again."""
RETRY_MILLISECONDS = 2000


class EventStream:
    """One stream to one client. Use it as a context; hand its `response` back to aiohttp."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._place = call.request.app[STREAMS].open(EVENTS, call)
        self._changed = asyncio.Event()
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
        self._changed = self._place.__enter__()
        try:
            await self.response.prepare(self._call.request)
            if self._call.request.method != "HEAD":
                await self._write(b"retry: %d\n\n" % RETRY_MILLISECONDS)
        except BaseException:
            self._place.__exit__(None, None, None)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        """A client that went away or takes nothing is no error. Any other error cuts the connection."""
        self._place.__exit__(None, None, None)
        if kind is not None and self._call.request.transport is not None:
            self._call.request.transport.abort()
        return kind is not None and issubclass(kind, ConnectionError | TimeoutError)

    async def send(self, event: str, data: str) -> None:
        """Send one event; `data` has no line breaks, as JSON of ours has none.

        Raises:
            ConnectionError: the client is gone.
            TimeoutError: the client has taken nothing for 30 s.
        """
        await self._write(f"event: {event}\ndata: {data}\n\n".encode())

    async def every(self, seconds: float) -> AsyncIterator[Principal]:
        """The caller, now and every so many seconds, with the rights of that moment.

        It ends with the stream's life or the process, and as soon as the caller may not call the operation any more:
        then the client gets an event `closed` with the reason.
        """
        loop, draining = asyncio.get_running_loop(), self._call.request.app[DRAINING]
        due = loop.time()
        ends = due + LIFE_SECONDS
        while loop.time() < ends and not draining.is_set() and self._call.request.method != "HEAD":
            self._changed.clear()
            try:
                principal = await admit_again(self._call)
            except AppError as error:
                await self.send("closed", json.dumps_text({"code": error.code, "message": error.message}))
                return
            if loop.time() >= due:
                due = loop.time() + seconds
                yield principal
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - loop.time())):
                    await self._changed.wait()

    async def _write(self, data: bytes) -> None:
        async with asyncio.timeout(STALL_SECONDS):
            await self.response.write(data)

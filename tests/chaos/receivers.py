"""Receivers of webhooks, as a small real server: one answers, one hangs, one resets, one has no room.

In the end all are well.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

ANSWER_SECONDS = 0.05
HANG_SECONDS = 30.0  # longer than anybody waits
MANNERS = ("answers", "hangs", "resets")


@dataclass
class Receivers:
    """What came, by webhook and event. A webhook's path names its manner: `/hangs/one`."""

    base: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    """Signing secret of each webhook, by its path."""
    are_well: bool = False
    requests: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How often each event (`webhook-id`) came, by path."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.StreamResponse:
        body, path = await request.read(), request.path
        event = request.headers.get("webhook-id", "?")
        self.requests[path][event] += 1
        self._check(path, event, body, request)
        manner = path.split("/")[1]
        if not self.are_well and manner == "hangs":
            await asyncio.sleep(HANG_SECONDS)
        if not self.are_well and manner == "resets":
            request.transport.abort()
            return web.Response()
        if not self.are_well and manner == "refuses":
            return web.Response(status=507)
        await asyncio.sleep(ANSWER_SECONDS)
        return web.Response(status=204)

    def _check(self, path: str, event: str, body: bytes, request: web.Request) -> None:
        try:
            Webhook(self.secrets[path]).verify(body, dict(request.headers))
        except (KeyError, WebhookVerificationError) as error:
            self.wrong.append(f"a request to {path} for event {event} is not signed as it should be: {error!r}")
        if self.bodies.setdefault(event, body) != body:
            self.wrong.append(f"event {event} came to {path} with another body than before")


@asynccontextmanager
async def serve_receivers() -> AsyncIterator[Receivers]:
    """On a free port of the loopback."""
    receivers = Receivers()
    app = web.Application()
    app.router.add_post("/{manner}/{name}", receivers.receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receivers.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receivers
    finally:
        await runner.cleanup()

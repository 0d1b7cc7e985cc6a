"""A small receiver of webhooks on loopback, and what tests do with it."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

from scaicms.infra import db
from tests.conftest import Api


@dataclass
class Received:
    """One request that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """Answers with what is queued in `answers` (status, headers, body), then 200. `gate` shut: it waits."""

    url: str = ""
    got: list[Received] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Received(request.path, headers, await request.read()))
        self.arrived.set()
        await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else (200, {}, b"thanks")
        if callable(answer):
            return await answer(request)
        status, sent, body = answer if isinstance(answer, tuple) else (answer, {}, b"")
        return web.Response(status=status, headers=sent, body=body)

    def verified(self, secret: str, number: int = -1) -> Any:
        """The body of a request, if the reference implementation says that its signature is right."""
        return Webhook(secret).verify(self.got[number].body, self.got[number].headers)


@asynccontextmanager
async def receiving():
    receiver = Receiver()
    receiver.gate.set()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        receiver.gate.set()
        await runner.cleanup()


async def hooked(api: Api, url: str, *events: str, **members: Any) -> dict[str, Any]:
    """A webhook for these events (`content.*` when there are none)."""
    body = {"name": "hook", "url": url, "events": list(events or ("content.*",)), **members}
    answer = await api.post("/webhooks", body)
    assert answer.status == 201, answer.raw
    return answer.json


async def deliveries(api: Api, hook: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    answer = await api.get(f"/webhooks/{hook['id']}/deliveries{query}")
    assert answer.status == 200, answer.raw
    return answer.json["items"]


async def wind(seconds: float) -> None:
    """Let so much time pass for the jobs of deliveries."""
    await db.execute(
        """UPDATE jobs SET run_at = run_at - $1 * interval '1 second'
           WHERE state = 'pending' AND name = 'webhooks.deliver'""",
        seconds,
    )

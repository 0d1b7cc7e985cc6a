"""One request for each row of the outage tables, and what came of it."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from random import Random
from uuid import uuid4

import aiohttp

from tests.chaos.fleet import ROOT, Process
from tests.chaos.ground import ADMIN, API, PASSWORD, SITES, Ground
from tests.chaos.pictures import picture
from tests.chaos.publications import form

SITE = {"X-Site-ID": SITES[0]}
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What came, after how many seconds; status 0: no answer."""

    status: int
    code: str
    seconds: float
    text: str


class Probes:
    """Requests to one web process, as an administrator where that is needed."""

    def __init__(self, ground: Ground, session: aiohttp.ClientSession, web: Process) -> None:
        self._session, self._client = session, ground.client("probes")
        self._base = web.base
        self._items: list[str] = []
        self._addresses = count(2)
        self._asset = ""
        self.rows: Mapping[str, Callable[[], Awaitable[Answer]]] = {
            "read published content": lambda: self.ask("GET", f"{API}/content?type=note", is_public=True),
            "read a draft": lambda: self.ask("GET", f"{API}/content/{self._items[0]}?status=draft"),
            "search": lambda: self.ask("GET", f"{API}/search?q=outage"),
            "create an item": self.create,
            "publish an item": lambda: self.ask("POST", f"{API}/content/{self._items[0]}/publish"),
            "log in": self._log_in,
            "upload an asset": self._upload,
            "download an asset": lambda: self.ask("GET", f"{API}/assets/{self._asset}/file"),
            "queue figures": lambda: self.ask("GET", f"{API}/search/queues"),
            "/readyz": lambda: self.ask("GET", "/readyz", is_public=True),
            "/healthz": lambda: self.ask("GET", "/healthz", is_public=True),
            "/metrics": lambda: self.ask("GET", "/metrics", is_public=True),
        }

    async def prepare(self) -> None:
        """What the requests read; and one round of them, as a process that has worked for a while has done."""
        grants = [{"permission": "content:read"}, {"permission": "assets:read"}]
        opened = await self._client.ask("PUT", f"{API}/roles/public/permissions", json=grants)
        assert opened.status == 200, opened
        made = await self.create()
        assert made.status == 201, made
        self._items.append(json.loads(made.text)["id"])
        uploaded = await self._upload()
        assert uploaded.status == 202, uploaded
        self._asset = json.loads(uploaded.text)["id"]
        for name, probe in self.rows.items():
            answer = await probe()
            assert answer.status < 300, (name, answer)

    async def create(self) -> Answer:
        data = {"title": f"outage {uuid4()}", "body": "Something about an outage."}
        return await self.ask("POST", f"{API}/content", json={"type": "note", "data": data, "publish": True})

    async def _log_in(self) -> Answer:
        """From another address each time: attempts are counted."""
        number = next(self._addresses)
        connector = aiohttp.TCPConnector(local_addr=(f"127.0.{number // 250}.{number % 250 + 1}", 0))
        body = {"email": ADMIN, "password": PASSWORD}
        async with aiohttp.ClientSession(connector=connector) as session:
            return await self.ask("POST", f"{API}/auth/login", json=body, is_public=True, session=session)

    async def _upload(self) -> Answer:
        body, headers = form(picture(Random(uuid4().int)), "outage.png")
        return await self.ask("POST", f"{API}/assets", data=body, headers=headers)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        is_public: bool = False,
        session: aiohttp.ClientSession | None = None,
        **given: object,
    ) -> Answer:
        own = {} if is_public else self._client.headers
        headers = {**SITE, **own, **given.pop("headers", {})}
        began = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        try:
            async with (session or self._session).request(
                method, self._base + path, headers=headers, timeout=timeout, **given
            ) as response:
                text = (await response.read()).decode("utf-8", "replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            return Answer(0, type(error).__name__, time.monotonic() - began, "")
        code = ""
        if response.status >= 400 and "json" in response.content_type:
            code = json.loads(text).get("detail", {}).get("code", "")
        return Answer(response.status, code, time.monotonic() - began, text)


async def command(process: Process, *arguments: str) -> Answer:
    """Run `scaicms` with the environment of a process; its exit code, and all that it has written."""
    began = time.monotonic()
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "scaicms",
        *arguments,
        env={**process.env, "SCAICMS_START_WAIT_SECONDS": "2"},
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            written, _ = await running.communicate()
    except TimeoutError:
        running.kill()
        return Answer(-1, "", time.monotonic() - began, "it did not end")
    return Answer(running.returncode or 0, "", time.monotonic() - began, written.decode("utf-8", "replace"))

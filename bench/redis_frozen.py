"""Requests while Redis is frozen, beside the same requests while it is well.

    .venv/bin/python -m bench.redis_frozen [--rounds 20]

Starts its own engines and a web process. Each figure of "frozen" is the worst case: the first request after Redis
stopped answering, which has to find that out. A round takes 11 s, because a process counts attempts by itself for 10 s
after an outage. Prints minimum, median and maximum of each request, and the load of the machine.
"""

import argparse
import asyncio
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bench.delivery import bench_settings, free_port
from scaicms import registry
from scaicms.connect import create_services
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
from scaicms.features.roles.service import RoleService
from scaicms.features.users.service import UserService
from scaicms.infra.db.migrations import migrate
from scaicms.kit.principal import SYSTEM
from scaicms.settings import Settings

EMAIL, PASSWORD = "admin@example.com", "correct horse battery staple"
API = "/api/v1"
SITE = {"X-Site-ID": "bench"}
ROUND_SECONDS = 11.0
BOUND_SECONDS = 0.3
Request = Callable[[], Awaitable[float]]


class Caller:
    """Sends requests and measures how long each takes."""

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self._client = client
        self.headers: dict[str, str] = {}
        self.seconds = 0.0

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        began = time.perf_counter()
        sent = {**SITE, **self.headers, **headers}
        async with self._client.request(method, path, json=body, headers=sent) as response:
            answer = await response.json()
        self.seconds = time.perf_counter() - began
        assert response.status < 300, answer
        return answer

    async def log_in(self) -> float:
        """From another address each time: attempts are counted."""
        address = ".".join(["10", *(str(secrets.randbelow(250)) for _ in range(3))])
        body = {"email": EMAIL, "password": PASSWORD}
        answer = await self.send("POST", f"{API}/auth/login", body, **{"X-Forwarded-For": address})
        self.headers = {"Authorization": f"Bearer {answer['access_token']}"}
        return self.seconds


async def requests(caller: Caller, publications: int) -> dict[str, Request]:
    """What is measured, over a site with as many drafts as will be published."""
    await caller.log_in()
    await caller.send("POST", f"{API}/sites", {"key": "bench", "name": "Bench"})
    fields = [{"key": "title", "type": "string"}]
    await caller.send("POST", f"{API}/content-types", {"key": "t", "name": "T", "fields": fields})
    made = [
        await caller.send("POST", f"{API}/content", {"type": "t", "data": {"title": str(number)}})
        for number in range(publications + 1)
    ]
    items = [f"{API}/content/{item['id']}" for item in made]
    read_item = items.pop()
    await caller.send("POST", f"{read_item}/publish")
    wanted = {"name": "k", "permissions": ["content:read"]}
    key = (await caller.send("POST", f"{API}/api-keys", wanted))["key"]

    async def publish() -> float:
        await caller.send("POST", f"{items.pop()}/publish")
        return caller.seconds

    async def read() -> float:
        await caller.send("GET", read_item, Authorization=f"Bearer {key}")
        return caller.seconds

    return {"log in": caller.log_in, "publish": publish, "read with a key": read}


async def redis_is(client: aiohttp.ClientSession, verdict: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                async with client.get("/readyz") as response:
                    if (await response.json())["checks"]["redis"] == verdict:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)


async def measure(client: aiohttp.ClientSession, redis: int, rounds: int) -> None:
    await redis_is(client, "ok")
    kinds = await requests(Caller(client), 2 * rounds)
    well: dict[str, list[float]] = {name: [] for name in kinds}
    frozen: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        begun = time.perf_counter()
        for name, request in kinds.items():
            well[name].append(await request())
            os.kill(redis, signal.SIGSTOP)
            try:
                frozen[name].append(await request())
            finally:
                os.kill(redis, signal.SIGCONT)
            await redis_is(client, "ok")
        await asyncio.sleep(max(0.0, begun + ROUND_SECONDS - time.perf_counter()))
    print(f"{rounds} of each; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; milliseconds min / median / max")
    for name in kinds:
        print(f"{name:16} well {_spread(well[name])}   frozen {_spread(frozen[name])}")
        if max(frozen[name]) > BOUND_SECONDS:
            print(f"{name}: over the bound of {BOUND_SECONDS * 1000:.0f} ms")


def _spread(seconds: list[float]) -> str:
    return " / ".join(f"{f(seconds) * 1000:5.1f}" for f in (min, statistics.median, max))


async def prepare(settings: Settings) -> None:
    await migrate(settings.database_url, registry.model_modules())
    async with create_services(settings, kind="worker") as services:
        await services.get(RoleService).ensure_built_in(SYSTEM)
        await services.get(UserService).ensure_administrator(SYSTEM, EMAIL, PASSWORD)


@contextmanager
def serving(settings: Settings, port: int) -> Iterator[None]:
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "SCAICMS_ENV": "test",
        "SCAICMS_HOME": str(settings.home),
        "SCAICMS_SECRET": settings.secret.get_secret_value(),
        "SCAICMS_TRUSTED_PROXIES": '["127.0.0.0/8"]',
        "SCAICMS_LOG_LEVEL": "error",
        "SCAICMS_PORT": str(port),
    }
    with subprocess.Popen([sys.executable, "-m", "scaicms", "serve"], env=environment) as server:
        try:
            yield
        finally:
            server.terminate()


async def run(settings: Settings, redis: int, rounds: int) -> None:
    await prepare(settings)
    port = free_port()
    with serving(settings, port):
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            await measure(client, redis, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        with EmbeddedPostgres(home) as postgres, EmbeddedValkey(home) as valkey:
            assert valkey.process is not None
            asyncio.run(run(bench_settings(postgres.url, valkey.url, home), valkey.process.pid, rounds))


if __name__ == "__main__":
    main()

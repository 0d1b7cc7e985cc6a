"""Deliveries of webhooks: how fast a fleet sends them, and whether one receiver keeps another one waiting.

    .venv/bin/python -m bench.webhooks [--quick] [--beside FOLDER]

Starts its own engines, receivers and real worker processes. With `--beside`, a checkout of another version does the
same work in turns with this one, over the same database. Ratios mean something; figures by themselves say as much about
the machine. A receiver takes 50 ms for an answer.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import uvloop
from aiohttp import web
from arq.connections import ArqRedis

from scaicms import registry
from scaicms.connect import create_services
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
from scaicms.features.content.events import ContentPublished
from scaicms.features.roles.service import RoleService
from scaicms.features.sites.schemas import CreateSite
from scaicms.features.sites.service import SiteService, to_site
from scaicms.features.users.service import UserService
from scaicms.features.webhooks.schemas import CreateWebhook
from scaicms.features.webhooks.service import WebhookService
from scaicms.infra import db
from scaicms.infra.db.migrations import migrate
from scaicms.infra.events import record
from scaicms.infra.jobs import control
from scaicms.infra.jobs.doorbell import WAKE_CHANNEL
from scaicms.infra.services import Services
from scaicms.kit.ids import new_id
from scaicms.kit.principal import SYSTEM, Principal
from scaicms.settings import Settings

ANSWER_SECONDS = 0.05
LONGEST_SECONDS = 40.0
WARM = 60
EMAIL, PASSWORD = "admin@example.com", "a password for the benchmark"
HERE = Path(__file__).parents[1]


@dataclass
class Receivers:
    """One server with a healthy address and one that never answers. The first `stuck` requests to `/once` hang, too."""

    url: str = ""
    times: list[float] = field(default_factory=list)
    stuck: int = 0

    async def healthy(self, _: web.Request) -> web.Response:
        await asyncio.sleep(ANSWER_SECONDS)
        self.times.append(time.perf_counter())
        return web.Response()

    async def hanging(self, _: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        return web.Response()

    async def once(self, request: web.Request) -> web.Response:
        if self.stuck:
            self.stuck -= 1
            return await self.hanging(request)
        return await self.healthy(request)


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receivers]:
    receivers = Receivers()
    app = web.Application()
    app.router.add_post("/healthy", receivers.healthy)
    app.router.add_post("/hanging", receivers.hanging)
    app.router.add_post("/once", receivers.once)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receivers.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield receivers
    await runner.cleanup()


@contextlib.contextmanager
def fleet(settings: Settings, folder: Path, number: int) -> Iterator[list[psutil.Process]]:
    """So many workers of the code in `folder`."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "SCAICMS_ENV": "test",
        "SCAICMS_SECRET": settings.secret.get_secret_value(),
        "SCAICMS_HOME": str(settings.home),
        "SCAICMS_WEBHOOK_REACH": "loopback",
        "SCAICMS_LOG_LEVEL": "error",
        "SCAICMS_DRAIN_SECONDS": "0",
    }
    command = [sys.executable, "-m", "scaicms", "worker", "webhooks"]
    processes = [subprocess.Popen(command, cwd=folder, env=environment) for _ in range(number)]
    try:
        yield [psutil.Process(process.pid) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Round:
    """What came of one round; `cpu` is the processor time of all workers. It says more than the clock does on a machine
    with others."""

    done: int
    seconds: float
    cpu: float


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


class Bench:
    """The installation that is measured."""

    def __init__(self, settings: Settings, services: Services, receivers: Receivers) -> None:
        self.settings = settings
        self.services = services
        self.redis: ArqRedis = services.resources.redis
        self.receivers = receivers
        self.owner: Principal = SYSTEM
        self.site_id = UUID(int=0)

    async def prepare(self) -> None:
        await self.services.get(RoleService).ensure_built_in(SYSTEM)
        users = self.services.get(UserService)
        await users.ensure_administrator(SYSTEM, EMAIL, PASSWORD)
        user = await users.by_email(EMAIL)
        assert user is not None
        grants = await self.services.get(RoleService).grants_of_user(user.id)
        self.owner = Principal(kind="user", id=user.id, name="admin", grants=grants)
        row = await self.services.get(SiteService).create(SYSTEM, CreateSite(key="bench", name="bench"))
        self.site_id, self.site = row.id, to_site(row)

    async def promise(self, paths: dict[str, int]) -> None:
        """So many deliveries for each address of the receivers, all due."""
        await db.execute("TRUNCATE jobs, webhooks, webhook_deliveries, webhook_attempts")
        await self.redis.flushall()
        await control.pause("webhooks")
        self.receivers.times.clear()
        for path, number in paths.items():
            await db.execute("UPDATE webhooks SET is_active = false")
            new = CreateWebhook(name=path, url=self.receivers.url + path, events=["content.published"])
            await self.services.get(WebhookService).create(self.owner, self.site, new)
            for _ in range(number):
                fact: dict[str, Any] = {"content_type": "article", "slug": "a", "locale": "en", "item_version": 1}
                event = ContentPublished(site_id=self.site_id, aggregate_id=new_id(), **fact)
                async with db.transaction():
                    await record(event, actor=self.owner)
        await db.execute("UPDATE webhooks SET is_active = true")

    async def run(self, folder: Path, workers: int, paths: dict[str, int], expected: int) -> Round:
        """Deliver, until the healthy ones are delivered or patience ends. Workers are warm by then: what the first
        request of a process costs is not what this measures."""
        stuck, self.receivers.stuck = self.receivers.stuck, 0
        await self.promise({"/healthy": WARM})
        with fleet(self.settings, folder, workers) as processes:
            while len(await self.redis.zrange("scaicms:workers", 0, -1)) < workers:  # noqa: ASYNC110 - Redis has no event
                await asyncio.sleep(0.1)
            await self._done(WARM)
            while await db.fetchval("SELECT count(*) FROM jobs WHERE lease_until IS NOT NULL"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            self.receivers.stuck = stuck
            await self.promise(paths)
            before = _cpu_seconds(processes)
            started = await self._done(expected)
            cpu = _cpu_seconds(processes) - before
        times = sorted(self.receivers.times)[:expected]
        return Round(len(times), times[-1] - started if times else LONGEST_SECONDS, cpu)

    async def _done(self, expected: int) -> float:
        """Let the workers begin, and wait for so many answers; when they began."""
        started = time.perf_counter()
        await control.resume("webhooks")
        await self.redis.publish(WAKE_CHANNEL, "webhooks")
        while len(self.receivers.times) < expected and time.perf_counter() - started < LONGEST_SECONDS:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return started


async def measure(settings: Settings, folders: dict[str, Path], *, quick: bool, only: list[int]) -> None:
    await migrate(settings.database_url, registry.model_modules())
    async with create_services(settings, kind="worker") as services, receiving() as receivers:
        bench = Bench(settings, services, receivers)
        await bench.prepare()
        rounds, number = (1, 400) if quick else (3, 3000)
        scenarios: dict[str, tuple[int, dict[str, int], int, int]] = {
            "200 to one receiver, 3 workers": (3, {"/healthy": 200}, 200, 0),
            "200 while another receiver hangs with 200, 3 workers": (3, {"/hanging": 200, "/healthy": 200}, 200, 0),
            "200 to one receiver that hung once before, 3 workers": (3, {"/once": 200}, 199, 1),
            f"{number} to one receiver, 4 workers": (4, {"/healthy": number}, number, 0),
        }
        for number_of, (name, (workers, paths, expected, stuck)) in enumerate(scenarios.items(), 1):
            if only and number_of not in only:
                continue
            print(f"{number_of}. {name}, {rounds} rounds in turns")
            found: dict[str, list[Round]] = {label: [] for label in folders}
            for _ in range(rounds):
                for label, folder in folders.items():
                    receivers.stuck = stuck
                    one = await bench.run(folder, workers, paths, expected)
                    found[label].append(one)
                    missing = f", {expected - one.done} not yet" if one.done < expected else ""
                    print(
                        f"  {label:8} {one.seconds:6.2f} s  {one.done / one.seconds:6.0f}/s  "
                        f"{one.cpu / max(1, one.done) * 1000:5.1f} ms of CPU a delivery{missing}",
                        flush=True,
                    )
            rates = {label: statistics.median(one.done / one.seconds for one in got) for label, got in found.items()}
            if len(rates) > 1:
                print(f"  ratio of the medians {rates['this'] / rates['beside']:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller numbers, to see that it runs")
    parser.add_argument("--beside", type=Path, help="a checkout of another version")
    parser.add_argument("--only", type=int, nargs="*", default=[], help="numbers of the scenarios to run")
    given = parser.parse_args()
    folders = {"this": HERE} if given.beside is None else {"this": HERE, "beside": given.beside.resolve()}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        with EmbeddedPostgres(home) as postgres, EmbeddedValkey(home) as valkey:
            settings = Settings(
                env="test",
                home=home,
                database_url=postgres.url,
                redis_url=valkey.url,
                secret="a secret that is long enough for it",
                log_level="error",
                webhook_reach="loopback",
            )
            uvloop.run(measure(settings, folders, quick=given.quick, only=given.only))


if __name__ == "__main__":
    main()

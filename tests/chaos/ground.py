"""Engines and a fleet over them, with two sites, an administrator and, where wanted, webhooks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from scaicms import registry
from scaicms.app import create_services
from scaicms.embedded.guardian import Guardian
from scaicms.features.roles.service import RoleService
from scaicms.features.users.service import UserService
from scaicms.infra.db.migrations import migrate
from scaicms.kit.principal import SYSTEM
from scaicms.settings import Settings
from tests.chaos.client import Client, Seen
from tests.chaos.disk import SmallDisk
from tests.chaos.engines import Engines
from tests.chaos.fleet import SECRET, Fleet
from tests.chaos.publications import PAGE
from tests.chaos.receivers import MANNERS, Receivers, serve_receivers
from tests.chaos.timeline import Timeline
from tests.chaos.work import TABLES
from tests.chaos.workload import API, TYPE

SITES = ("one", "two")
ADMIN, PASSWORD = "admin@example.com", "correct horse battery staple"
SETTLE_SECONDS = 180.0
DATABASE_MB = 400
WEBHOOKS: dict[str, dict[str, Any]] = {
    "answers": {"events": ["*"]},
    "hangs": {"events": ["content.unpublished"], "content_types": ["note"]},
    "resets": {"events": ["content.deleted", "asset.*"]},
}

# Periodic work is promised again and again, and so is never at an end; deliveries that failed wait for their time.
PENDING = "SELECT count(*) FROM jobs WHERE state = 'pending' AND name <> ALL('{chaos.tick,webhooks.deliver}')"
BACKLOG = "SELECT count(*) FROM jobs WHERE state = 'pending' AND run_at <= now() AND lease_until IS NULL"


class Ground:
    """Engines and a fleet over them, with two sites and an administrator."""

    def __init__(self, home: Path, *, small_database: bool = False) -> None:
        self.timeline, self.seen = Timeline(home / "timeline.txt"), Seen()
        self.receivers = Receivers()
        self.disk = SmallDisk(home / "store")
        self.first_event = 0
        """The last event (`seq`) before the webhooks were there."""
        self._guardian, self._home = Guardian(), home
        self.database_disk = SmallDisk(home / "database", DATABASE_MB) if small_database else None
        self.engines = Engines(home, self._guardian, database=home / "database" if small_database else None)
        self.fleet = Fleet(self.engines, home, self.timeline, self._guardian)
        self._session = aiohttp.ClientSession()
        self._token = ""

    @classmethod
    @asynccontextmanager
    async def prepared(cls, home: Path, *, small_database: bool = False, **size: Any) -> AsyncIterator["Ground"]:
        """`size` is what `Fleet.start` takes. With `small_database` PostgreSQL has a disk that can be filled."""
        ground = cls(home, small_database=small_database)
        try:
            async with serve_receivers() as ground.receivers:
                await ground._start(**size)
                yield ground
        finally:
            await ground._session.close()
            await ground.fleet.stop()
            await ground.engines.stop()
            ground.disk.unmount()
            if ground.database_disk is not None:
                ground.database_disk.unmount()
            ground._guardian.dismiss()

    async def _start(self, **size: Any) -> None:
        self.disk.mount()
        if self.database_disk is not None:
            self.database_disk.mount()
        await self.engines.start()
        settings = Settings(
            env="test",
            home=self._home,
            secret=SECRET,
            database_url=self.engines.postgres.url,
            redis_url=self.engines.valkey.url,
        )
        await migrate(settings.database_url, registry.model_modules())
        async with create_services(settings, kind="worker") as services:
            await services.get(RoleService).ensure_built_in(SYSTEM)
            await services.get(UserService).ensure_administrator(SYSTEM, ADMIN, PASSWORD)
        async with self.engines.session() as session:
            await session.execute(TABLES)
        await self.fleet.start(**size)
        await self._seed()

    async def _seed(self) -> None:
        client = self.client("seed")
        entered = await client.ask("POST", f"{API}/auth/login", json={"email": ADMIN, "password": PASSWORD})
        self._token = entered.json["access_token"]
        client = self.client("seed")
        for site in SITES:
            made = await client.ask("POST", f"{API}/sites", json={"key": site, "name": site})
            assert made.status == 201, made
            for type_ in (TYPE, PAGE):
                made = await client.ask("POST", f"{API}/content-types", json=type_, headers={"X-Site-ID": site})
                assert made.status == 201, made

    async def add_webhooks(self) -> None:
        """One for each manner of receivers, at each site."""
        client = self.client("webhooks")
        self.first_event = int(str(await self.engines.fetchval("SELECT coalesce(max(seq), 0) FROM events")))
        for site in SITES:
            for manner in MANNERS:
                path = f"/{manner}/{site}"
                body = {"name": manner, "url": self.receivers.base + path, **WEBHOOKS[manner]}
                made = await client.ask("POST", f"{API}/webhooks", json=body, headers={"X-Site-ID": site})
                assert made.status == 201, made
                self.receivers.secrets[path] = made.json["secret"]

    def client(self, seed: str) -> Client:
        client = Client(self._session, self.fleet.webs, self.seen, self.timeline, seed)
        if self._token:
            client.headers["Authorization"] = f"Bearer {self._token}"
        return client

    async def backlog(self) -> int:
        """How many jobs are due and wait for a worker."""
        return int(str(await self.engines.fetchval(BACKLOG)))

    async def rest(self, seconds: float = SETTLE_SECONDS) -> None:
        """Wait until no job is pending, but no longer than this."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while await self.engines.fetchval(PENDING):
            if loop.time() > deadline:
                self.timeline.note("some jobs are still pending: not waiting any longer")
                return
            await asyncio.sleep(0.3)

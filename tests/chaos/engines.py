"""PostgreSQL and Valkey of one run, behind proxies, and what can be done to them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from redis.asyncio import Redis

from scaicms.embedded.engine import Engine
from scaicms.embedded.guardian import Guardian
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
from scaicms.infra import db
from tests.chaos.proxy import Proxy


class Engines:
    """The engines keep what they are told (durable); the fleet reaches them through the proxies, we do directly."""

    def __init__(self, home: Path, guardian: Guardian, *, database: Path | None = None) -> None:
        self._home, self._guardian = home, guardian
        self.postgres = EmbeddedPostgres(database or home)
        self.valkey = EmbeddedValkey(home)
        self.database_door = Proxy(str(self.postgres.sockets / ".s.PGSQL.5432"))
        self.valkey_door = Proxy(self.valkey.url.removeprefix("unix://"))

    async def start(self) -> None:
        await asyncio.gather(self._start(self.postgres), self._start(self.valkey))
        await self.database_door.start()
        await self.valkey_door.start()

    async def stop(self) -> None:
        await self.database_door.stop()
        await self.valkey_door.stop()
        await asyncio.gather(*(asyncio.to_thread(engine.stop) for engine in (self.postgres, self.valkey)))

    @property
    def addresses(self) -> dict[str, str]:
        """Environment of the processes."""
        return {
            "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{self.database_door.port}/scaicms?sslmode=disable",
            "REDIS_URL": f"redis://127.0.0.1:{self.valkey_door.port}/0",
        }

    async def _start(self, engine: Engine) -> None:
        await asyncio.to_thread(engine.start, guardian=self._guardian)

    async def kill(self, engine: Engine) -> None:
        """SIGKILL, and an immediate restart on the same data."""
        engine.process.kill()
        await self.restart(engine)

    async def restart(self, engine: Engine) -> None:
        await asyncio.to_thread(engine.stop)
        await self._start(engine)

    async def crash(self, engine: Engine) -> None:
        """What `pg_ctl restart -m immediate` does: SIGQUIT, no checkpoint, nobody is waited for."""
        engine.process.send_signal(signal.SIGQUIT)
        await asyncio.to_thread(engine.process.wait, 30)
        await self._start(engine)

    @asynccontextmanager
    async def frozen(self, engine: Engine) -> AsyncIterator[None]:
        os.kill(engine.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(engine.process.pid, signal.SIGCONT)

    @asynccontextmanager
    async def cache(self) -> AsyncIterator[Redis]:
        """Valkey itself, not through the proxy."""
        client = Redis.from_url(self.valkey.url)
        try:
            yield client
        finally:
            await client.aclose()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection]:
        """A session of our own at PostgreSQL, not through the proxy."""
        connection = await asyncpg.connect(self.postgres.url, timeout=30)
        try:
            yield connection
        finally:
            connection.terminate()

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask until the server answers: it may be killed at this very moment."""
        async with asyncio.timeout(60):
            while True:
                try:
                    async with self.session() as connection:
                        return await connection.fetch(sql, *arguments)
                except db.OUTAGES:
                    await asyncio.sleep(0.2)

    async def fetchval(self, sql: str, *arguments: object) -> object:
        rows = await self.fetch(sql, *arguments)
        return rows[0][0] if rows else None

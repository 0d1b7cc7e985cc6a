"""Tortoise's migrations, run under a lock so that several starting processes do not run them twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from tortoise import Tortoise
from tortoise.connection import get_connection
from tortoise.migrations.executor import MigrationExecutor

from scaicms.infra.db.connection import APP_LABEL, tortoise_config
from scaicms.infra.db.dsn import parse_dsn
from scaicms.infra.db.server import check_server, require_supported
from scaicms.infra.db.sessions import server_settings
from scaicms.infra.db.silence import CONNECT_SECONDS
from scaicms.infra.db.stale_sessions import ARGUMENTS, END_STALE, MIGRATING, count_ended

ADVISORY_LOCK = 0x5CA1_0001
MIGRATION_SECONDS = 3600.0
GUARD_SECONDS = 5.0
"""Between signs of life of the session that holds the lock; without one it is ended (`LOCKING_IDLE_SECONDS`)."""
WAIT_SECONDS = 1.0


async def migrate(dsn: str, models: Sequence[str]) -> list[str]:
    """Apply what is missing; the names of what was applied.

    Raises:
        OSError, TimeoutError, asyncpg.PostgresError: the session that keeps other processes from migrating was lost.
    """
    async with _alone(dsn) as guard:
        migrating = asyncio.create_task(_migrate(dsn, models))
        living = asyncio.create_task(_show_life(guard))
        await asyncio.wait({migrating, living}, return_when=asyncio.FIRST_COMPLETED)
        lost = None if migrating.done() else living.exception()
        for task in (migrating, living):
            task.cancel()
        await asyncio.gather(migrating, living, return_exceptions=True)
        if lost is not None:
            raise lost
        return migrating.result()


async def _migrate(dsn: str, models: Sequence[str]) -> list[str]:
    async with _connected(dsn, models):
        names = await pending_migrations()
        if names:
            await _executor().migrate()
        return names


@asynccontextmanager
async def _alone(dsn: str) -> AsyncIterator[Any]:
    """Keep other processes from migrating meanwhile. A process that vanished without closing its session is not
    waited for longer than `LOCKING_IDLE_SECONDS`."""
    guard: Any = await asyncpg.connect(
        **parse_dsn(dsn),
        timeout=CONNECT_SECONDS,
        command_timeout=GUARD_SECONDS,
        server_settings=server_settings(MIGRATING, statement_seconds=GUARD_SECONDS),
    )
    try:
        require_supported(guard.get_server_version())
        while not await guard.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK):
            count_ended(await guard.fetch(END_STALE, *ARGUMENTS))
            await asyncio.sleep(WAIT_SECONDS)
        yield guard
    finally:
        guard.terminate()


async def _show_life(guard: Any) -> None:
    while True:
        await asyncio.sleep(GUARD_SECONDS)
        await guard.execute("SELECT 1")


async def missing(dsn: str, models: Sequence[str]) -> list[str]:
    """Names of migrations that this code has and the database lacks."""
    async with _connected(dsn, models):
        await check_server()
        return await pending_migrations()


async def pending_migrations() -> list[str]:
    """The same over the connection that is open."""
    return [step.migration.name for step in await _executor().plan()]


@asynccontextmanager
async def _connected(dsn: str, models: Sequence[str]) -> AsyncIterator[None]:
    await Tortoise.init(config=tortoise_config(dsn, models, size=2, statement_timeout=MIGRATION_SECONDS))
    try:
        yield
    finally:
        await Tortoise.close_connections()


def _executor() -> MigrationExecutor:
    return MigrationExecutor(get_connection("default"), {APP_LABEL: {"migrations": "scaicms.migrations"}})

"""Tortoise's migrations, run under a lock so that several starting processes do not run them twice."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from tortoise import Tortoise
from tortoise.connection import get_connection
from tortoise.migrations.executor import MigrationExecutor

from scaicms.infra.db.connection import APP_LABEL, tortoise_config
from scaicms.infra.db.dsn import parse_dsn

ADVISORY_LOCK = 0x5CA1_0001
MIGRATION_SECONDS = 3600.0


async def migrate(dsn: str, models: Sequence[str]) -> list[str]:
    """Apply what is missing; the names of what was applied."""
    guard: Any = await asyncpg.connect(**parse_dsn(dsn))
    try:
        await guard.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
        async with _connected(dsn, models):
            names = await pending_migrations()
            if names:
                await _executor().migrate()
            return names
    finally:
        await guard.close()


async def missing(dsn: str, models: Sequence[str]) -> list[str]:
    """Names of migrations that this code has and the database lacks."""
    async with _connected(dsn, models):
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

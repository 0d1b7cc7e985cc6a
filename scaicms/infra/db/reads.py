"""The read side of delivery: a bare asyncpg pool, read-only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from scaicms.infra.db.dsn import parse_dsn
from scaicms.infra.db.pools import ACQUIRE_SECONDS, BoundedPool
from scaicms.infra.db.sessions import (
    LONGEST_TRANSACTION_SECONDS,
    READ_SILENT_SECONDS,
    StatelessSession,
    server_settings,
)
from scaicms.infra.db.silence import CONNECT_SECONDS, answer_seconds, prepare_session

if TYPE_CHECKING:
    ReadPool = asyncpg.Pool[Any]
    ReadProxy = PoolConnectionProxy[Any]
else:  # generic for the type checker alone
    ReadPool = asyncpg.Pool
    ReadProxy = PoolConnectionProxy


async def open_read_pool(dsn: str, *, size: int, statement_timeout: float, idle: int = 1) -> ReadPool:
    """A pool for documents and lists; `statement_timeout` is in seconds, `idle` the connections opened at once."""
    return await BoundedPool(
        **parse_dsn(dsn),
        acquire_seconds=ACQUIRE_SECONDS,
        min_size=idle,
        max_size=size,
        connection_class=StatelessSession,
        timeout=CONNECT_SECONDS,
        command_timeout=answer_seconds(statement_timeout),
        init=prepare_session(LONGEST_TRANSACTION_SECONDS),
        server_settings=server_settings(
            "scaicms-read",
            statement_seconds=statement_timeout,
            silent_seconds=READ_SILENT_SECONDS,
            default_transaction_read_only="on",
        ),
    )


async def fetch_planned(pool: ReadPool, sql: str, *arguments: object) -> list[asyncpg.Record]:
    """Rows of a statement that PostgreSQL plans for these very arguments.

    For any arguments (as it does for statements that it has seen five times) it takes every value for an average one,
    and statements of as many forms as callers think of would push others out of the connection's cache.
    """
    async with pool.acquire() as connection:
        statement = await connection.prepare(sql, name="")
        return await statement.fetch(*arguments)


@asynccontextmanager
async def snapshot(pool: ReadPool) -> AsyncIterator[ReadProxy]:
    """A connection on which every statement and cursor sees the database as it was at the first one.

    Each statement, and each portion that a cursor fetches, has the pool's time-out for itself.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield connection

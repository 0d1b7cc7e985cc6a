"""The write side: one Tortoise connection pool a process, one `transaction()` a use case.

Inside `transaction()` every Tortoise query and every call of this module of the same task runs on the one
connection; outside, each call borrows a connection for itself.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, cast

import asyncpg
from asyncpg import Record
from tortoise import Tortoise
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.connection import get_connection, get_connections
from tortoise.exceptions import DBConnectionError
from tortoise.transactions import in_transaction

from scaicms.infra.db.aside import wanted
from scaicms.infra.db.dsn import parse_dsn
from scaicms.infra.db.sessions import LONGEST_TRANSACTION_SECONDS, SILENT_SECONDS, StatelessSession, server_settings
from scaicms.infra.db.silence import CONNECT_SECONDS, answer_seconds, prepare_session

APP_LABEL = "scaicms"
CONNECTION = "default"
OUTAGES = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that dies while a statement begins
    asyncpg.TooManyConnectionsError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DiskFullError,
    DBConnectionError,
)
"""What is raised while the server is away, starts, stops or has no disk space left.

Nothing is wrong with the statement: try again later."""
# No transaction of ours does that many statements, each of them as slow as it may be.
LONGEST_STATEMENTS = 12

AfterCommit = Callable[[], Awaitable[None]]
_pending: ContextVar[list[AfterCommit] | None] = ContextVar("scaicms_after_commit", default=None)
_commits: ContextVar[int] = ContextVar("scaicms_commits", default=0)
Hearer = Callable[[str], None]
_hearers: list[Hearer] = []


def tortoise_config(
    dsn: str,
    models: Sequence[str],
    *,
    size: int = 10,
    statement_timeout: float = 5.0,
    acquire_seconds: float | None = None,
) -> dict[str, Any]:
    """Tortoise's configuration; `statement_timeout` is in seconds, and `acquire_seconds` bounds the wait for a
    connection (None: no bound)."""
    return {
        "connections": {
            CONNECTION: {
                "engine": "scaicms.infra.db.pools",
                "credentials": {
                    **parse_dsn(dsn),
                    "acquire_seconds": acquire_seconds,
                    **_pool_options(size, statement_timeout),
                },
            }
        },
        "apps": {
            APP_LABEL: {
                "models": list(models),
                "default_connection": CONNECTION,
                "migrations": "scaicms.migrations",
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


def _pool_options(size: int, statement_timeout: float) -> dict[str, Any]:
    transaction_seconds = min(LONGEST_STATEMENTS * statement_timeout, LONGEST_TRANSACTION_SECONDS)
    return {
        "minsize": 1,
        "maxsize": size,
        "timeout": CONNECT_SECONDS,
        "command_timeout": answer_seconds(statement_timeout),
        "init": prepare_session(transaction_seconds),
        "application_name": "scaicms",
        "connection_class": StatelessSession,
        "server_settings": server_settings(
            "scaicms",
            statement_seconds=statement_timeout,
            silent_seconds=min(2 * statement_timeout, SILENT_SECONDS),
        ),
    }


async def open_database(
    dsn: str,
    models: Sequence[str],
    *,
    size: int,
    statement_timeout: float,
    acquire_seconds: float | None = None,
) -> None:
    """Connect this process; `models` are the modules that hold Tortoise models."""
    config = tortoise_config(
        dsn, models, size=size, statement_timeout=statement_timeout, acquire_seconds=acquire_seconds
    )
    await Tortoise.init(config=config, _enable_global_fallback=True)


async def close_database() -> None:
    """Close the pool at once: a farewell on a connection that leads nowhere would be waited for."""
    pool = _client()._pool
    if pool is not None:
        pool.terminate()
    await Tortoise.close_connections()


@asynccontextmanager
async def transaction() -> AsyncIterator[None]:
    """One use case. Nested, it is a savepoint of the outer one, whose commit alone lets `after_commit` run."""
    outer = _pending.get()
    if outer is not None:
        mark = len(outer)
        try:
            async with in_transaction():
                yield
        except BaseException:
            del outer[mark:]
            raise
        return
    pending: list[AfterCommit] = []
    told = ""
    token = _pending.set(pending)
    try:
        async with _outermost():
            yield
            if _hearers:
                told = await fetchval("SELECT current_setting('scaicms.told', true)") or ""
    finally:
        _pending.reset(token)
    _commits.set(_commits.get() + 1)
    for hearer in _hearers:
        for notice in told.splitlines():
            hearer(notice)
    for callback in pending:
        await callback()


@asynccontextmanager
async def joined() -> AsyncIterator[None]:
    """One use case that may be a part of another: in the open transaction, without a savepoint, else in one of its own.

    Whoever catches an error of it and goes on opens a `transaction()` around it, which is a savepoint.
    """
    if in_open_transaction():
        yield
    else:
        async with transaction():
            yield


@asynccontextmanager
async def _outermost() -> AsyncIterator[None]:
    """Tortoise's transaction, and after it the task's own view of the database as it was before.

    When the server goes away Tortoise leaves the task bound to the dead connection, and keeps the connection on which
    a transaction could not begin, so that a long-lived task would fail for ever and the pool would run dry.
    """
    connections = get_connections()
    before = connections.set(CONNECTION, _client())
    context: Any = in_transaction()
    try:
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(context)
            except BaseException:
                await _give_back(context.client)
                raise
            yield
    finally:
        connections.reset(before)


async def _give_back(client: Any) -> None:
    taken, pool = client._connection, client._parent._pool
    if taken is not None and pool is not None:
        with suppress(*OUTAGES):
            await pool.release(taken)


def after_commit(callback: AfterCommit) -> None:
    """Run `callback` once the outermost transaction of this task has committed.

    Raises:
        RuntimeError: there is no transaction; what must follow a commit needs one.
    """
    pending = _pending.get()
    if pending is None:
        raise RuntimeError("after_commit() outside a transaction")
    pending.append(callback)


def hear_triggers(hearer: Hearer) -> None:
    """Give `hearer` what triggers tell of in this process's transactions (`tell()` in SQL), at each commit and before
    `after_commit`. It costs each transaction a statement."""
    if hearer not in _hearers:
        _hearers.append(hearer)


def commits() -> int:
    """How many transactions this task has committed, as far as it can see; only good to compare."""
    return _commits.get()


def in_open_transaction() -> bool:
    return _pending.get() is not None


def _client() -> AsyncpgDBClient:
    return cast(AsyncpgDBClient, get_connection(CONNECTION))


def _acquire() -> AbstractAsyncContextManager[Any]:
    pool = wanted()
    return _client().acquire_connection() if pool is None else pool.acquire()


async def server_version() -> Any:
    """The version of the server that answers now, as asyncpg's `get_server_version()`."""
    async with _acquire() as connection:
        await connection.execute("SELECT 1")
        return connection.get_server_version()


async def fetch(sql: str, *arguments: object, planned: bool = False) -> list[Record]:
    """Rows of a statement; with `planned`, PostgreSQL plans it for these very arguments."""
    async with _acquire() as connection:
        if planned:
            statement = await connection.prepare(sql, name="")
            return cast(list[Record], await statement.fetch(*arguments))
        return cast(list[Record], await connection.fetch(sql, *arguments))


async def fetchrow(sql: str, *arguments: object) -> Record | None:
    async with _acquire() as connection:
        return cast(Record | None, await connection.fetchrow(sql, *arguments))


async def fetchval(sql: str, *arguments: object) -> Any:
    async with _acquire() as connection:
        return await connection.fetchval(sql, *arguments)


async def execute(sql: str, *arguments: object) -> int:
    """Run a statement; the number of rows it touched."""
    async with _acquire() as connection:
        status = str(await connection.execute(sql, *arguments))
    count = status.rsplit(" ", 1)[-1]
    return int(count) if count.isdigit() else 0


async def executemany(sql: str, rows: Iterable[Sequence[object]]) -> None:
    async with _acquire() as connection:
        await connection.executemany(sql, rows)

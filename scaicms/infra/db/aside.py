"""A few connections beside the pool, for statements that must not wait behind the work that they are about.

Each running atomic job holds a connection of the pool; when they hold all of it, the renewals of their leases must
still be written. Processes that open none use the pool.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from scaicms.infra.db.dsn import parse_dsn
from scaicms.infra.db.sessions import StatelessSession, server_settings
from scaicms.infra.db.silence import CONNECT_SECONDS, answer_seconds, prepare_session

if TYPE_CHECKING:
    AsidePool = asyncpg.Pool[Any]
else:  # generic for the type checker alone
    AsidePool = asyncpg.Pool

# Each of these statements touches a few rows by their keys.
TRANSACTION_SECONDS = 10.0
LOCK_SECONDS = 2.0
"""Less than anybody waits for the answer, so that waiting for a lock is told from a silent link."""

ResultT = TypeVar("ResultT")
_pool: AsidePool | None = None
_wanted: ContextVar[bool] = ContextVar("scaicms_aside", default=False)


@asynccontextmanager
async def open_aside(dsn: str, *, size: int, statement_timeout: float) -> AsyncIterator[None]:
    """Open the connections of this process; `statement_timeout` is in seconds."""
    global _pool  # noqa: PLW0603 - one a process, set at start-up as the database is
    _pool = await asyncpg.create_pool(
        **parse_dsn(dsn),
        min_size=1,
        max_size=size,
        connection_class=StatelessSession,
        timeout=CONNECT_SECONDS,
        command_timeout=answer_seconds(statement_timeout),
        init=prepare_session(TRANSACTION_SECONDS),
        server_settings=server_settings(
            "scaicms-aside",
            statement_seconds=statement_timeout,
            silent_seconds=TRANSACTION_SECONDS,
            lock_timeout=str(int(LOCK_SECONDS * 1000)),
        ),
    )
    try:
        yield
    finally:
        _pool.terminate()
        _pool = None


@asynccontextmanager
async def aside() -> AsyncIterator[None]:
    """Statements in this context run beside the pool, each in a transaction of its own."""
    token = _wanted.set(True)
    try:
        yield
    finally:
        _wanted.reset(token)


def wanted() -> AsidePool | None:
    """The connections to use here and now, if they are not those of the pool."""
    return _pool if _wanted.get() else None


async def within(seconds: float, statement: Coroutine[Any, Any, ResultT]) -> ResultT:
    """What the statement gives, if it does so in time.

    Unlike `asyncio.timeout` this does not wait for the connection to be given back: on a link that leads nowhere that
    takes as long as the server's time-out, and the next statement can use another connection.

    Raises:
        TimeoutError: it did not; it is cancelled, and whatever it did in the server's eyes is unknown.
    """
    task = asyncio.ensure_future(statement)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        task.add_done_callback(_ignore)
        raise TimeoutError(f"no answer from the database within {seconds:g} s")
    return task.result()


def _ignore(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()

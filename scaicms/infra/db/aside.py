"""A few connections beside the pool, for statements that must not wait behind the work that they are about.

Each running atomic job holds a connection of the pool; when they hold all of it, the renewals of their leases must
still be written. Processes that open none use the pool.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import asyncpg

from scaicms.infra.db.dsn import parse_dsn
from scaicms.infra.db.sessions import SERVER_SETTINGS, StatelessSession
from scaicms.infra.db.silence import CONNECT_SECONDS, answer_seconds, remember

if TYPE_CHECKING:
    AsidePool = asyncpg.Pool[Any]
else:  # generic for the type checker alone
    AsidePool = asyncpg.Pool

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
        init=remember,
        server_settings={
            "application_name": "scaicms-aside",
            "statement_timeout": str(int(statement_timeout * 1000)),
            **SERVER_SETTINGS,
        },
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

"""The read side of delivery: a bare asyncpg pool, read-only, without the reset query that asyncpg sends at
every release. Nothing here changes a session, so there is nothing to reset."""

from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from scaicms.infra.db.dsn import parse_dsn

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[Any]
    ReadPool = asyncpg.Pool[Any]
    ReadProxy = PoolConnectionProxy[Any]
else:  # generic for the type checker alone
    _Connection = asyncpg.Connection
    ReadPool = asyncpg.Pool
    ReadProxy = PoolConnectionProxy


class _ReadConnection(_Connection):
    def get_reset_query(self) -> str:
        """No round trip at release: sessions of this pool are read-only and keep no state."""
        return ""


async def open_read_pool(dsn: str, *, size: int, statement_timeout: float) -> ReadPool:
    """A pool for documents and lists; `statement_timeout` is in seconds."""
    return await asyncpg.create_pool(
        **parse_dsn(dsn),
        min_size=1,
        max_size=size,
        connection_class=_ReadConnection,
        server_settings={
            "application_name": "scaicms-read",
            "default_transaction_read_only": "on",
            "statement_timeout": str(int(statement_timeout * 1000)),
            "timezone": "UTC",
            "jit": "off",
        },
    )

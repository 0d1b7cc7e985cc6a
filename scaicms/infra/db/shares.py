"""A share of the connections: reads that may take long have their own, so that short reads never wait for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asyncpg import Record
from prometheus_client import Counter

from scaicms.infra.db.reads import ReadPool, ReadProxy, open_read_pool
from scaicms.kit.errors import UnavailableError

MAX_WAITING_PER_CONNECTION = 16
MAX_WAIT_SECONDS = 2.0
RETRY_SECONDS = 2

_refused = Counter(
    "scaicms_database_share_full_total", "Requests refused because their share of connections was in use", ["share"]
)


class ShareFullError(UnavailableError):
    code = "too_busy"

    def __init__(self, name: str, size: int) -> None:
        message = f"All {size} database connections for {name} are in use. Try again in {RETRY_SECONDS} seconds."
        super().__init__(message, retry_after=RETRY_SECONDS)


async def open_share(name: str, dsn: str, *, size: int, statement_timeout: float) -> "Share":
    """Connections for reads of one kind; `statement_timeout` is in seconds."""
    pool = await open_read_pool(dsn, size=size, statement_timeout=statement_timeout, idle=0)
    return Share(name, pool, size)


class Share:
    """A pool with a bounded queue. `name` says what it is for, in the plural."""

    def __init__(self, name: str, pool: ReadPool, size: int) -> None:
        self.name = name
        self._pool = pool
        self._size = size
        self._waiting = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[ReadProxy]:
        """One of the connections.

        Raises:
            ShareFullError: too many callers wait already, or none became free within `MAX_WAIT_SECONDS`.
        """
        if self._waiting >= self._size * MAX_WAITING_PER_CONNECTION:
            raise self._full()
        self._waiting += 1
        try:
            connection = await self._pool.acquire(timeout=MAX_WAIT_SECONDS)
        except TimeoutError:
            raise self._full() from None
        finally:
            self._waiting -= 1
        try:
            yield connection
        finally:
            await self._pool.release(connection)

    async def fetch_planned(self, sql: str, *arguments: object) -> list[Record]:
        """Rows of a statement that PostgreSQL plans for these very arguments, on one of the connections.

        Raises:
            ShareFullError: as `connection` does.
        """
        async with self.connection() as connection:
            statement = await connection.prepare(sql, name="")
            return await statement.fetch(*arguments)

    def terminate(self) -> None:
        self._pool.terminate()

    def _full(self) -> ShareFullError:
        _refused.labels(self.name).inc()
        return ShareFullError(self.name, self._size)

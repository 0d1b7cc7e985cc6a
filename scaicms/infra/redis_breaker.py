"""A breaker for Redis: the first command that gets no answer opens it, and nobody waits again until Redis answers.

While it is open every use of the pool fails at once. A task of its own asks Redis twice a second and closes it.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from prometheus_client import Gauge
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

PROBE_SECONDS = 0.5
FIRST_PROBE_SECONDS = 0.1
LATE_SECONDS = 0.02
FAILURES = (RedisConnectionError, RedisTimeoutError, OSError)

_away = Gauge(
    "scaicms_redis_away", "1 while Redis gives no answer and nobody waits for it", multiprocess_mode="livemax"
)
log = structlog.get_logger(__name__)


class RedisAwayError(RedisConnectionError):
    """Redis gave no answer a moment ago. Nothing was sent."""


class Breaker:
    """Whether Redis answers, as far as this process knows. `ask` raises while it does not."""

    def __init__(self, ask: Callable[[], Awaitable[object]]) -> None:
        self._ask = ask
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        return self._probing is not None

    def failed(self) -> None:
        """A command got no answer."""
        if self._probing is None:
            log.warning("redis.away")
            _away.set(1)
            self._probing = asyncio.create_task(self._probe(), name="redis-probe")

    async def stop(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing

    async def _probe(self) -> None:
        wait = FIRST_PROBE_SECONDS  # a single slow answer, which is often our own slowness, is soon over
        try:
            while True:
                await asyncio.sleep(wait)
                wait = PROBE_SECONDS
                with contextlib.suppress(*FAILURES):
                    await self._ask()
                    break
            log.info("redis.back")
        finally:
            _away.set(0)
            self._probing = None


class _Watched:
    """What a connection tells the breaker. Mixed into the library's kinds of connections."""

    breaker: Breaker | None = None
    socket_timeout: float | None

    async def connect(self) -> None:
        try:
            await super().connect()  # type: ignore[misc]  # of the kind that it is mixed into
        except FAILURES:
            self._failed()
            raise

    async def read_response(self, *given: Any, disconnect_on_error: bool = True, **options: Any) -> Any:
        read = super().read_response  # type: ignore[misc]  # of the kind that it is mixed into
        try:
            started = time.monotonic()
            try:
                return await read(*given, disconnect_on_error=False, **options)
            except RedisTimeoutError:
                if time.monotonic() - started < (self.socket_timeout or 0) + LATE_SECONDS:
                    raise
                # The timeout fired late: this process stood still, and the answer may lie there.
                return await read(*given, disconnect_on_error=False, **options)
        except BaseException as error:
            if disconnect_on_error and not isinstance(error, ResponseError):
                connection: Any = self
                await connection.disconnect(nowait=True)
            if isinstance(error, FAILURES):
                self._failed()
            raise

    def _failed(self) -> None:
        if self.breaker is not None:
            self.breaker.failed()


class _WatchedTcp(_Watched, Connection):
    """`redis://`"""


class _WatchedTls(_Watched, SSLConnection):
    """`rediss://`"""


class _WatchedSocket(_Watched, UnixDomainSocketConnection):
    """`unix://`"""


_KINDS: dict[type, type] = {
    Connection: _WatchedTcp,
    SSLConnection: _WatchedTls,
    UnixDomainSocketConnection: _WatchedSocket,
}


class BreakerPool(ConnectionPool):
    """A pool whose connections fail at once while the breaker is open."""

    def __init__(self, connection_class: type = Connection, **options: Any) -> None:
        super().__init__(connection_class=_KINDS[connection_class], **options)
        self.breaker = Breaker(self._ask)

    def make_connection(self) -> Any:
        connection = super().make_connection()  # type: ignore[no-untyped-call]  # the library has no types here
        connection.breaker = self.breaker
        return connection

    async def ensure_connection(self, connection: Any) -> None:
        # Asked under the pool's lock: of many that wait for it, the first finds out for all.
        if self.breaker.is_open:
            raise RedisAwayError("Redis gives no answer.")
        await super().ensure_connection(connection)

    async def aclose(self) -> None:
        await self.breaker.stop()
        await super().aclose()

    async def _ask(self) -> None:
        """A word from Redis, over a connection that is nobody else's."""
        connection: Any = super().make_connection()  # type: ignore[no-untyped-call]  # the library has no types here
        try:
            await connection.connect()
            await connection.send_command("PING", check_health=False)
            await connection.read_response()
        finally:
            await connection.disconnect(nowait=True)

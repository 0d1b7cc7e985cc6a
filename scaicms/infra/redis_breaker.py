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
from redis.exceptions import NoPermissionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from scaicms.infra.engine_errors import explain_redis

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

    def __init__(self, ask: Callable[[], Awaitable[object]], address: str) -> None:
        self._ask = ask
        self._address = address
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        return self._probing is not None

    def failed(self, error: BaseException) -> None:
        """A command got no answer."""
        if self._probing is None:
            has_refused = self._log(error)
            _away.set(1)
            self._probing = asyncio.create_task(self._probe(has_refused), name="redis-probe")

    async def stop(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing

    async def _probe(self, has_refused: bool) -> None:
        wait = FIRST_PROBE_SECONDS  # a single slow answer, which is often our own slowness, is soon over
        try:
            while True:
                await asyncio.sleep(wait)
                wait = PROBE_SECONDS
                try:
                    await self._ask()
                    break
                except (RedisError, OSError) as error:
                    if not has_refused and not explain_redis(error).can_change:
                        has_refused = self._log(error)
            log.info("redis.back", message=f"Redis at {self._address} answers again.")
        finally:
            _away.set(0)
            self._probing = None

    def _log(self, error: BaseException) -> bool:
        """Log why Redis cannot be used. True: it refuses this process, which waiting does not change."""
        reason = explain_redis(error)
        if reason.can_change:
            trouble = f"Redis at {self._address} cannot be reached: {reason.text}. This process goes on without it."
            log.warning("redis.away", message=trouble)
        else:
            trouble = f"Redis at {self._address} cannot be used: {reason.text}. Check REDIS_URL."
            log.error("redis.refuses", message=trouble)
        return not reason.can_change


class _Watched:
    """What a connection tells the breaker. Mixed into the library's kinds of connections."""

    breaker: Breaker | None = None
    socket_timeout: float | None
    health_check_interval: float
    next_health_check: float

    async def connect(self) -> None:
        # The set-up sends commands. A health check before the first of them would connect again, and do so without end
        # where Redis refuses the caller.
        self.next_health_check = asyncio.get_running_loop().time() + self.health_check_interval
        try:
            await super().connect()  # type: ignore[misc]  # of the kind that it is mixed into
        except FAILURES as error:
            self._failed(error)
            raise

    async def send_packed_command(self, *given: Any, **options: Any) -> None:
        """`asyncio.wait_for` in Python 3.11, which the library uses here, can swallow that its task is cancelled."""
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        await super().send_packed_command(*given, **options)  # type: ignore[misc]  # of the kind that it is mixed into
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError

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
                self._failed(error)
            raise

    def _failed(self, error: BaseException) -> None:
        if self.breaker is not None:
            self.breaker.failed(error)


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
        given = self.connection_kwargs
        self.address: str = given.get("path") or f"{given.get('host', 'localhost')}:{given.get('port', 6379)}"
        self.breaker = Breaker(self.ask, self.address)

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

    async def ask(self) -> None:
        """Return if Redis answers, over a connection that nobody else uses. The breaker does not hear of a failure."""
        connection: Any = super().make_connection()  # type: ignore[no-untyped-call]  # the library has no types here
        try:
            await connection.connect()
            await connection.send_command("PING", check_health=False)
            try:
                await connection.read_response()
            except NoPermissionError:
                raise
            except ResponseError:
                pass  # an answer all the same: its disk is full (MISCONF), its master is away (MASTERDOWN)
        finally:
            await connection.disconnect(nowait=True)

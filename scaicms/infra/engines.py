"""The start of a process: it waits for PostgreSQL, goes on without Redis, and says in one sentence why it cannot start.

A process waits for PostgreSQL while time can help (it starts, a network comes up). An engine that refuses the settings
(a wrong password, an unknown database, refused TLS) ends the process at once. If Redis gives no answer, the process
starts and works as in an outage of Redis (docs/adr/0051).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from scaicms.infra.db.dsn import parse_dsn
from scaicms.infra.engine_errors import Reason, explain_postgres, explain_redis, is_name_unknown
from scaicms.infra.redis import WORKER_SECONDS, open_pool, redis_over
from scaicms.infra.redis_breaker import BreakerPool
from scaicms.settings import Settings

EXIT_UNAVAILABLE = 69
"""EX_UNAVAILABLE of sysexits.h: an engine could not be reached in time."""
EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h: an engine refuses what the settings say; waiting does not help."""
ATTEMPT_SECONDS = 3.0
PAUSE_SECONDS = 0.5
NAME_SECONDS = 5.0
"""A host name that cannot be resolved is tried for so long: name servers and containers start, too."""

log = structlog.get_logger(__name__)


class StartError(Exception):
    """This process cannot start; the message is a sentence for the operator."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class _Engine:
    """An engine as it is tried. `explain` gives the reason of a failure, and whether waiting can help."""

    name: str
    setting: str
    where: str
    attempt: Callable[[], Awaitable[None]]
    explain: Callable[[BaseException], Reason]

    @property
    def at(self) -> str:
        return f"{self.name} at {self.where}"

    def refusal(self, reason: Reason) -> StartError:
        return StartError(f"{self.at} cannot be used: {reason.text}. Check {self.setting}.", EXIT_CONFIG)


async def wait_for_postgres(settings: Settings) -> None:
    """Return when PostgreSQL accepts connections.

    Raises:
        StartError: it does not within `start_wait_seconds`, or never will with these settings.
    """
    try:
        arguments = parse_dsn(settings.database_url)
    except ValueError as error:
        raise StartError(f"{error}.", EXIT_CONFIG) from None

    async def attempt() -> None:
        connection: Any = await asyncpg.connect(**arguments, timeout=ATTEMPT_SECONDS)
        connection.terminate()

    def explain(error: BaseException) -> Reason:
        return explain_postgres(error, arguments)

    host, port = arguments["host"], arguments["port"]
    where = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else f"{host}:{port}"
    await _wait(_Engine("PostgreSQL", "DATABASE_URL", where, attempt, explain), settings.start_wait_seconds)


async def wait_for_redis(settings: Settings) -> None:
    """Return when Redis accepts connections; raises as `wait_for_postgres`. For ARQ's own loop, which needs it."""
    await _wait(_redis(_pool(settings)), settings.start_wait_seconds)


async def refuse_wrong_redis(settings: Settings) -> None:
    """Ask Redis once. Return if it answers, and if it gives no answer.

    Raises:
        StartError: it refuses what `REDIS_URL` says, or no client can read `REDIS_URL`.
    """
    engine = _redis(_pool(settings))
    if (failure := await _failure(engine)) and not (reason := engine.explain(failure)).can_change:
        raise engine.refusal(reason)


async def join_redis(settings: Settings, *, seconds: float) -> ArqRedis:
    """The client of a process, which gives each answer so many seconds. Redis is asked once; raises as
    `refuse_wrong_redis`.

    If it gives no answer, the breaker logs that, and stays open until it does.
    """
    pool = _pool(settings, seconds)
    engine = _redis(pool)
    if failure := await _failure(engine):
        if not (reason := engine.explain(failure)).can_change:
            raise engine.refusal(reason)
        pool.breaker.failed(failure)
    return redis_over(pool)


def _pool(settings: Settings, seconds: float = WORKER_SECONDS) -> BreakerPool:
    try:
        return open_pool(settings.redis_url, seconds=seconds)
    except ValueError:
        raise StartError("REDIS_URL must be like redis://host:6379/0, rediss:// or unix://.", EXIT_CONFIG) from None


def _redis(pool: BreakerPool) -> _Engine:
    return _Engine("Redis", "REDIS_URL", pool.address, pool.ask, explain_redis)


async def _failure(engine: _Engine) -> BaseException | None:
    """Try an engine once."""
    try:
        async with asyncio.timeout(ATTEMPT_SECONDS + 1):
            await engine.attempt()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError) as error:
        return error
    return None


async def _wait(engine: _Engine, seconds: float) -> None:
    began, has_warned = time.monotonic(), False
    while failure := await _failure(engine):
        reason, is_name = engine.explain(failure), is_name_unknown(failure)
        if not reason.can_change:
            raise engine.refusal(reason)
        problem = f"{engine.at} cannot be reached: {reason.text}."
        spent, bound = time.monotonic() - began, min(seconds, NAME_SECONDS) if is_name else seconds
        if spent + PAUSE_SECONDS > bound:
            raise StartError(
                f"{problem} Gave up after {spent:.0f} s. Start it, or check {engine.setting}.",
                EXIT_CONFIG if is_name else EXIT_UNAVAILABLE,
            )
        if not has_warned:
            log.warning(f"{problem} Waiting for it up to {bound:.0f} s.")
            has_warned = True
        await asyncio.sleep(PAUSE_SECONDS)
    if has_warned:
        log.info(f"{engine.name} answers after {time.monotonic() - began:.1f} s.")

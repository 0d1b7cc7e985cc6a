"""Waits at start-up for PostgreSQL and Redis, and says in one sentence why a process cannot start.

What time can mend (an engine that starts, a network that comes up) is waited for. What it cannot (a wrong password, an
unknown database, refused TLS, a wrong address) ends the process at once.
"""

import asyncio
import getpass
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import structlog
from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError, RedisError, ResponseError

from scaicms.infra.db.dsn import parse_dsn
from scaicms.infra.redis import open_redis
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
    explain: Callable[[BaseException], tuple[str, bool]]


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

    def explain(error: BaseException) -> tuple[str, bool]:
        return _of_postgres(error, arguments)

    host, port = arguments["host"], arguments["port"]
    where = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else f"{host}:{port}"
    await _wait(_Engine("PostgreSQL", "DATABASE_URL", where, attempt, explain), settings.start_wait_seconds)


async def wait_for_redis(settings: Settings) -> None:
    """Return when Redis accepts connections; raises as `wait_for_postgres`."""
    try:
        open_redis(settings.redis_url)
    except ValueError:
        raise StartError("REDIS_URL must be like redis://host:6379/0, rediss:// or unix://.", EXIT_CONFIG) from None

    async def attempt() -> None:
        redis = open_redis(settings.redis_url)  # one that has not failed yet: its breaker would hide the reason
        try:
            await redis.ping()
        finally:
            await redis.aclose()

    parts = urlsplit(settings.redis_url)
    where = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
    await _wait(_Engine("Redis", "REDIS_URL", where, attempt, _of_redis), settings.start_wait_seconds)


async def wait_for_engines(settings: Settings) -> None:
    """Return when both can be reached; the errors of `wait_for_postgres`."""
    await wait_for_postgres(settings)
    await wait_for_redis(settings)


async def _wait(engine: _Engine, seconds: float) -> None:
    began, is_told = time.monotonic(), False
    while True:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS + 1):
                await engine.attempt()
            break
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError) as error:
            reason, can_change = engine.explain(error)
            is_name = _is_name_unknown(error)
        at = f"{engine.name} at {engine.where}"
        if not can_change:
            raise StartError(f"{at} cannot be used: {reason}. Check {engine.setting}.", EXIT_CONFIG)
        spent, bound = time.monotonic() - began, min(seconds, NAME_SECONDS) if is_name else seconds
        if spent + PAUSE_SECONDS > bound:
            raise StartError(
                f"{at} cannot be reached: {reason}. Gave up after {spent:.0f} s. Start it, or check {engine.setting}.",
                EXIT_CONFIG if is_name else EXIT_UNAVAILABLE,
            )
        if not is_told:
            log.warning(f"{at} cannot be reached: {reason}. Waiting for it up to {bound:.0f} s.")
            is_told = True
        await asyncio.sleep(PAUSE_SECONDS)
    if is_told:
        log.info(f"{engine.name} answers after {time.monotonic() - began:.1f} s.")


Kinds = tuple[type[BaseException], ...]
_ReasonTable = tuple[tuple[Kinds, str, bool], ...]
"""Errors, the reason that they stand for, and whether waiting can help; the first that fits."""

_POSTGRES: _ReasonTable = (
    (
        (asyncpg.InvalidAuthorizationSpecificationError,),
        "it does not accept the user {user} with this password, or not from this host",
        False,
    ),
    ((asyncpg.InvalidCatalogNameError,), "it has no database {database}", False),
    ((asyncpg.CannotConnectNowError,), "it is starting or stopping", True),
    ((asyncpg.TooManyConnectionsError,), "it has no free connection", True),
    (
        (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError),
        "it closes connections",
        True,
    ),
    ((asyncpg.PostgresError,), "it refuses the connection", False),
)
_REDIS: _ReasonTable = (
    ((AuthenticationError, NoPermissionError), "it does not accept this user or password", False),
    ((BusyLoadingError,), "it is loading its data", True),
    ((ResponseError,), "it refuses the password or the number of the database", False),
)
_NETWORK: _ReasonTable = (
    ((ssl.SSLCertVerificationError,), "its TLS certificate cannot be verified", False),
    ((ssl.SSLError,), "TLS cannot be agreed on", False),
    ((socket.gaierror,), "the host name cannot be resolved", True),
    ((ConnectionRefusedError, FileNotFoundError), "nothing listens there", True),
    ((TimeoutError,), "no answer", True),
)
# What has no class of its own: asyncpg's refused TLS, and asyncio's several addresses of one name.
_TEXTS = (
    ("rejected SSL upgrade", "it does not offer TLS, which sslmode asks for", False),
    ("CERTIFICATE", "its TLS certificate cannot be verified", False),
    ("SSL", "TLS cannot be agreed on", False),
    ("Connect call failed", "nothing listens there", True),
)


def _of_postgres(error: BaseException, arguments: dict[str, Any]) -> tuple[str, bool]:
    names = {"user": arguments["user"] or getpass.getuser(), "database": arguments["database"]}
    reason, can_change = _found(_POSTGRES, [error]) or _of_network(error)
    return reason.format(**names), can_change


def _of_redis(error: BaseException) -> tuple[str, bool]:
    # The library wraps what Redis answers while a connection is set up.
    return _found(_REDIS, list(_causes(error))) or _of_network(error)


def _of_network(error: BaseException) -> tuple[str, bool]:
    if found := _found(_NETWORK, list(_causes(error))):
        return found
    text = str(error)
    return next(((reason, can) for part, reason, can in _TEXTS if part in text), ("the connection breaks", True))


def _found(table: _ReasonTable, errors: list[BaseException]) -> tuple[str, bool] | None:
    return next(
        ((reason, can) for kinds, reason, can in table for error in errors if isinstance(error, kinds)),
        None,
    )


def _is_name_unknown(error: BaseException) -> bool:
    return any(isinstance(cause, socket.gaierror) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

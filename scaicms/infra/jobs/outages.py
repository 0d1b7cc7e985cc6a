"""Telling an outage of PostgreSQL or Redis from a fault of the job that ran meanwhile."""

from types import TracebackType

import asyncpg
from redis.exceptions import RedisError
from tortoise.exceptions import DBConnectionError, OperationalError

from scaicms.infra import db

OUTAGES = (*db.OUTAGES, RedisError)
LEDGER_ERRORS = (*OUTAGES, asyncpg.PostgresError, OperationalError)
"""Whatever keeps the ledger from being read or written."""

_CERTAIN = (
    RedisError,
    asyncpg.PostgresConnectionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DiskFullError,
    asyncpg.InternalClientError,
    DBConnectionError,
)
_DRIVERS = ("asyncpg", "tortoise", "redis")


def is_outage(error: BaseException) -> bool:
    """Whether an engine was away, or an error that was raised because of that.

    Errors of the network are outages when a driver of ours raised them: a job speaks to other servers too.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, _CERTAIN):
            return True
        if isinstance(cause, OSError) and _from_driver(cause.__traceback__):
            return True
        if isinstance(cause, asyncpg.InterfaceError) and "closed" in str(cause):
            return True
        seen.add(id(cause))  # an error that was raised from itself has no end
        cause = cause.__cause__
    return False


def _from_driver(traceback: TracebackType | None) -> bool:
    while traceback is not None:
        if str(traceback.tb_frame.f_globals.get("__name__", "")).partition(".")[0] in _DRIVERS:
            return True
        traceback = traceback.tb_next
    return False

"""Why an engine cannot be used: a sentence for the operator, and whether waiting can help."""

import getpass
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import asyncpg
from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError


class Reason(NamedTuple):
    """`text` completes "PostgreSQL at db:5432 cannot be reached: …"."""

    text: str
    can_change: bool
    """Whether waiting can help. False: the engine refuses these settings."""


Kinds = tuple[type[BaseException], ...]
_ReasonTable = tuple[tuple[Kinds, Reason], ...]
"""Error classes and their reason; the first match counts."""

_POSTGRES: _ReasonTable = (
    (
        (asyncpg.InvalidAuthorizationSpecificationError,),
        Reason("it does not accept the user {user} with this password, or not from this host", False),
    ),
    ((asyncpg.InvalidCatalogNameError,), Reason("it has no database {database}", False)),
    ((asyncpg.CannotConnectNowError,), Reason("it is starting or stopping", True)),
    ((asyncpg.TooManyConnectionsError,), Reason("it has no free connection", True)),
    (
        (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError),
        Reason("it closes connections", True),
    ),
    ((asyncpg.PostgresError,), Reason("it refuses the connection", False)),
)
_REDIS: _ReasonTable = (
    ((AuthenticationError, NoPermissionError), Reason("it does not accept this user or password", False)),
    ((BusyLoadingError,), Reason("it is loading its data", True)),
)
_NETWORK: _ReasonTable = (
    ((ssl.SSLCertVerificationError,), Reason("its TLS certificate cannot be verified", False)),
    ((ssl.SSLError,), Reason("TLS cannot be agreed on", False)),
    ((socket.gaierror,), Reason("the host name cannot be resolved", True)),
    ((ConnectionRefusedError, FileNotFoundError), Reason("nothing listens there", True)),
    ((TimeoutError,), Reason("no answer", True)),
)
# Errors without a class of their own: refused TLS in asyncpg, several addresses of a name in asyncio, answers of Redis.
_TEXTS = (
    ("rejected SSL upgrade", Reason("it does not offer TLS, which sslmode asks for", False)),
    ("CERTIFICATE", Reason("its TLS certificate cannot be verified", False)),
    ("SSL", Reason("TLS cannot be agreed on", False)),
    ("Connect call failed", Reason("nothing listens there", True)),
    ("DB index", Reason("it has no database of this number", False)),
    ("SELECT is not allowed", Reason("it is a cluster, which has only database 0", False)),
    ("protected mode", Reason("it accepts only connections from its own host", False)),
    ("max number of clients", Reason("it has no free connection", True)),
)


def explain_postgres(error: BaseException, arguments: dict[str, Any]) -> Reason:
    """The reason behind an error of asyncpg; `arguments` are those of the connection."""
    reason = _match_class(_POSTGRES, [error]) or _explain_network(error)
    names = {"user": arguments["user"] or getpass.getuser(), "database": arguments["database"]}
    return reason._replace(text=reason.text.format(**names))


def explain_redis(error: BaseException) -> Reason:
    """The reason behind an error of redis-py, which wraps errors of the connection's set-up."""
    return _match_class(_REDIS, list(_causes(error))) or _explain_network(error)


def is_name_unknown(error: BaseException) -> bool:
    return any(isinstance(cause, socket.gaierror) for cause in _causes(error))


def _explain_network(error: BaseException) -> Reason:
    if reason := _match_class(_NETWORK, list(_causes(error))):
        return reason
    text = str(error)
    return next((reason for part, reason in _TEXTS if part in text), Reason("the connection breaks", True))


def _match_class(table: _ReasonTable, errors: Sequence[BaseException]) -> Reason | None:
    return next((reason for kinds, reason in table for error in errors if isinstance(error, kinds)), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

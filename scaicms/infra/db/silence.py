"""Connections that lead nowhere: open on our side, while the other side or something between has forgotten them.

TCP tells nobody. Each statement is bounded (`answer_seconds`), but a process would run into that bound once for every
connection of its pools. A process that finds one connection silent while a new one answers cuts the old ones; and
it cuts each connection whose session the server no longer has.
"""

import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import asyncpg
import structlog

from scaicms.infra.db.sessions import bound_transactions

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[Any]
else:  # generic for the type checker alone
    _Connection = asyncpg.Connection

CONNECT_SECONDS = 5.0
# The server ends a statement itself; this much later, nobody is there who could.
GRACE_SECONDS = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Opened:
    at: float
    """`time.monotonic()`"""
    server_pid: int | None
    """The server's process of this session; None behind a pooler, whose sessions are not ours."""


_opened: WeakKeyDictionary[_Connection, _Opened] = WeakKeyDictionary()


def answer_seconds(statement_timeout: float) -> float:
    """How long to wait for the answer to a statement that the server stops after `statement_timeout` seconds."""
    return statement_timeout + GRACE_SECONDS


def prepare_session(transaction_seconds: float) -> Callable[[_Connection], Coroutine[Any, Any, None]]:
    """`init` of a pool: its connections can be cut, and their transactions have a bound."""

    async def prepare(connection: _Connection) -> None:
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        await bound_transactions(connection, transaction_seconds)
        server_pid = pid if pid == connection.get_server_pid() else None
        _opened[connection] = _Opened(time.monotonic(), server_pid)

    return prepare


def server_pids() -> list[int]:
    """The server's processes of this process's pools."""
    return [opened.server_pid for opened in _opened.values() if opened.server_pid is not None]


def cut_ended(asked: Iterable[int], living: Iterable[int]) -> int:
    """End the connections whose server process was `asked` about and is not among the `living`; how many."""
    ended = set(asked) - set(living)
    return _cut([connection for connection, opened in _opened.items() if opened.server_pid in ended])


def cut(opened_before: float) -> int:
    """End the connections of this process's pools that were opened before this moment (`time.monotonic()`); how many.

    Whoever waits for an answer on one gets `asyncpg.ConnectionDoesNotExistError`.
    """
    return _cut([connection for connection, opened in _opened.items() if opened.at < opened_before])


def _cut(connections: list[_Connection]) -> int:
    for connection in connections:
        del _opened[connection]
        connection.terminate()
    if connections:
        log.warning("database.silent_connections_cut", connections=len(connections))
    return len(connections)

"""Connections that lead nowhere: open on our side, while the other side or something between has forgotten them.

TCP tells nobody. Each statement is bounded (`answer_seconds`), but a process would run into that bound once for every
connection of its pools. Whoever finds that one connection is silent and that a new one answers cuts the old ones.
"""

import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import asyncpg
import structlog

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[Any]
else:  # generic for the type checker alone
    _Connection = asyncpg.Connection

CONNECT_SECONDS = 5.0
# The server ends a statement itself; this much later, nobody is there who could.
GRACE_SECONDS = 2.0

_opened: WeakKeyDictionary[_Connection, float] = WeakKeyDictionary()
log = structlog.get_logger(__name__)


def answer_seconds(statement_timeout: float) -> float:
    """How long to wait for the answer to a statement that the server stops after `statement_timeout` seconds."""
    return statement_timeout + GRACE_SECONDS


async def remember(connection: _Connection) -> None:
    """`init` of a pool: its connections can be cut."""
    _opened[connection] = time.monotonic()


def cut(opened_before: float) -> int:
    """End the connections of this process's pools that were opened before this moment (`time.monotonic()`); how many.

    Whoever waits for an answer on one gets `asyncpg.ConnectionDoesNotExistError`.
    """
    old = [connection for connection, opened in _opened.items() if opened < opened_before]
    for connection in old:
        del _opened[connection]
        connection.terminate()
    if old:
        log.warning("database.silent_connections_cut", connections=len(old))
    return len(old)

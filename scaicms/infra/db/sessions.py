"""Sessions of PostgreSQL as this system uses them: nothing is ever set on one, so nothing needs to be reset.

asyncpg sends a reset query at every release of a pooled connection, a round trip for each use. Whoever needs state
beyond a transaction (LISTEN, session locks) opens a connection of their own.

Every session has bounds on the server's side, because a client can vanish without closing its connection: see
`stale_sessions.py` for what these bounds do not cover.
"""

from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[Any]
else:  # generic for the type checker alone
    _Connection = asyncpg.Connection

APPLICATION_PREFIX = "scaicms"
"""How the `application_name` of every session of ours begins."""
SILENT_SECONDS = 20.0
"""How long a client may send nothing in the middle of a transaction before its session is ended."""
READ_SILENT_SECONDS = 300.0
"""The bound of read-only snapshots: an export goes at the pace of the client that downloads it."""
LONGEST_TRANSACTION_SECONDS = 3600.0
_TRANSACTION_TIMEOUT_VERSION = 17

_TCP = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "20000",
}
"""A peer that is gone is noticed within 20 s. UNIX sockets ignore these; their kernel tells at once."""
_PLANNING = {"timezone": "UTC", "jit": "off", "max_parallel_workers_per_gather": "0"}
"""Short statements, many at a time: neither compiling them nor more processes for one of them pays."""


def server_settings(
    application: str, *, statement_seconds: float, silent_seconds: float = SILENT_SECONDS, **more: str
) -> dict[str, str]:
    """Parameters of a new session; `statement_seconds` 0 is no bound."""
    return {
        "application_name": application,
        "statement_timeout": str(int(statement_seconds * 1000)),
        "idle_in_transaction_session_timeout": str(int(silent_seconds * 1000)),
        **_TCP,
        **_PLANNING,
        **more,
    }


async def bound_transactions(connection: _Connection, seconds: float) -> None:
    """End the session when one of its transactions lasts longer, where the server can (PostgreSQL 17 and newer).

    It is no start-up parameter, since older servers refuse sessions with parameters that they do not know.
    """
    if connection.get_server_version().major >= _TRANSACTION_TIMEOUT_VERSION:
        await connection.execute(f"SET transaction_timeout = {int(seconds * 1000)}")


class StatelessSession(_Connection):
    def get_reset_query(self) -> str:
        """None: an open transaction is rolled back all the same."""
        return ""

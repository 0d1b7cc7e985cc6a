"""Sessions of PostgreSQL as this system uses them: nothing is ever set on one, so nothing needs to be reset.

asyncpg sends a reset query at every release of a pooled connection, a round trip for each use. Whoever needs state
beyond a transaction (LISTEN, session locks) opens a connection of their own.
"""

from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[Any]
else:  # generic for the type checker alone
    _Connection = asyncpg.Connection

SERVER_SETTINGS = {"timezone": "UTC", "jit": "off", "max_parallel_workers_per_gather": "0"}
"""Short statements, many at a time: neither compiling them nor more processes for one of them pays."""


class StatelessSession(_Connection):
    def get_reset_query(self) -> str:
        """None: an open transaction is rolled back all the same."""
        return ""

"""PostgreSQL. Tortoise owns models, migrations and ordinary CRUD; asyncpg is spoken to directly where it counts."""

from scaicms.infra.db.again import again, is_race
from scaicms.infra.db.aside import aside, open_aside, within
from scaicms.infra.db.connection import (
    OUTAGES,
    after_commit,
    close_database,
    execute,
    executemany,
    fetch,
    fetchrow,
    fetchval,
    in_open_transaction,
    joined,
    open_database,
    transaction,
)
from scaicms.infra.db.reads import ReadPool, ReadProxy, fetch_planned, open_read_pool, snapshot

__all__ = [
    "OUTAGES",
    "ReadPool",
    "ReadProxy",
    "after_commit",
    "again",
    "aside",
    "close_database",
    "execute",
    "executemany",
    "fetch",
    "fetch_planned",
    "fetchrow",
    "fetchval",
    "in_open_transaction",
    "is_race",
    "joined",
    "open_aside",
    "open_database",
    "open_read_pool",
    "snapshot",
    "transaction",
    "within",
]

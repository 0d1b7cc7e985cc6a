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
from scaicms.infra.db.server import check_server
from scaicms.infra.db.shares import Share, open_share

__all__ = [
    "OUTAGES",
    "ReadPool",
    "ReadProxy",
    "Share",
    "after_commit",
    "again",
    "aside",
    "check_server",
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
    "open_share",
    "snapshot",
    "transaction",
    "within",
]

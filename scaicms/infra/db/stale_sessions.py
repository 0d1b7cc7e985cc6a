"""Sessions of ours that the server still holds although their client has gone without closing them.

Such a session keeps its locks, and its transaction keeps the event log from being linked. The server's own time-outs
do not end all of them: `idle_in_transaction_session_timeout` counts only between statements, and `statement_timeout`
does not end a session that waits for the rest of a statement (`active`, `ClientRead`) or writes to nobody
(`ClientWrite`). `transaction_timeout` does, from PostgreSQL 17 on. So every worker looks for them every few seconds.

Only sessions of the same database, the same user and with our application names are ended.
"""

import structlog
from asyncpg import Record
from prometheus_client import Counter

from scaicms.infra import db
from scaicms.infra.db.sessions import APPLICATION_PREFIX, READ_SILENT_SECONDS, SILENT_SECONDS

READING = f"{APPLICATION_PREFIX}-read"
BUILDING_INDEXES = f"{APPLICATION_PREFIX}-indexes"
MIGRATING = f"{APPLICATION_PREFIX}-migrate"
LOCKING = (BUILDING_INDEXES, MIGRATING)
"""Sessions that hold a lock outside transactions. They are never idle for long while their client is alive."""
LOCKING_IDLE_SECONDS = 60.0
# Longer than any statement of ours may take, since nothing tells when a session began to wait for its reader.
WRITING_SECONDS = 90.0

END_STALE = """
SELECT application_name, state, wait_event, pg_terminate_backend(pid) AS ended,
       extract(epoch FROM clock_timestamp() - state_change)::float8 AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
  AND starts_with(application_name, $1)
  AND ((wait_event = 'ClientRead' AND xact_start IS NOT NULL AND state_change < clock_timestamp()
        - interval '1 second' * CASE WHEN application_name = $2 AND state <> 'active' THEN $3::float8 ELSE $4 END)
    OR (wait_event = 'ClientWrite' AND state_change < clock_timestamp() - $5 * interval '1 second')
    OR (state = 'idle' AND application_name = ANY($6)
        AND state_change < clock_timestamp() - $7 * interval '1 second'))
"""
ARGUMENTS: tuple[object, ...] = (
    APPLICATION_PREFIX,
    READING,
    READ_SILENT_SECONDS,
    SILENT_SECONDS,
    WRITING_SECONDS,
    list(LOCKING),
    LOCKING_IDLE_SECONDS,
)
_ended = Counter(
    "scaicms_stale_sessions_ended_total", "Database sessions of ours that were ended because their client was silent"
)
log = structlog.get_logger(__name__)


async def end_stale_sessions() -> int:
    """End them; how many."""
    return count_ended(await db.fetch(END_STALE, *ARGUMENTS))


def count_ended(rows: list[Record]) -> int:
    """Log and count the rows of `END_STALE`."""
    for row in rows:
        log.warning(
            "database.stale_session_ended",
            application=row["application_name"],
            state=row["state"],
            wait_event=row["wait_event"],
            silent_seconds=round(row["seconds"], 1),
        )
        _ended.inc()
    return len(rows)

"""Leases that ran out: whose worker died in the middle of the job, and whose did not.

A worker that lives and lost a lease had no database for a while, or lost the answer to its claim: its job goes back to
the queue and nothing is charged. A worker that died may have been killed by the job: the third time the job is set
aside. Where nobody can tell yet, the lease is left for the next sweep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from prometheus_client import Counter
from redis.exceptions import RedisError

from scaicms.infra import db
from scaicms.infra.jobs import ledger
from scaicms.infra.jobs.living import seconds_since_beat
from scaicms.kit import json

MAX_LOST_LEASES = 3
MAX_OUTAGES = 20
"""Outages in a row after which a job is charged like any other: it may be what brings the engines down."""
APART_SECONDS = 60
# Longer than a beat, its answer and its retry take.
SILENT_SECONDS = 17.0
# A worker whose session is gone has ended, unless it is just about to open another.
GONE_SECONDS = 6.0
# Longer than workers that live take to open a session when the database is back.
RETURN_SECONDS = 10.0
# Longer than SILENT_SECONDS beyond the shortest rest of a lease: by then a dead worker is known to be dead.
OVERDUE_SECONDS = 8.0
# A living worker renews its leases itself within this time when the database is back.
RENEWAL_SECONDS = 5.0

_expired = Counter("scaicms_leases_expired_total", "Jobs taken back from workers that died or froze", ["queue"])
_returned = Counter("scaicms_leases_returned_total", "Jobs taken back from workers that live", ["queue"])
_quarantined = Counter("scaicms_jobs_quarantined_total", "Jobs whose worker died three times", ["queue"])
log = structlog.get_logger(__name__)

# A job that was claimed before its worker's process began was claimed by a former process of that name.
_EXPIRED = """
SELECT j.id, j.queue, j.name, j.version, j.payload, j.site_id, j.fence, j.worker, j.lost_leases, j.outages,
       extract(epoch FROM clock_timestamp() - j.lease_until)::float8 AS expired_seconds,
       CASE WHEN w.started_at <= j.started_at THEN
           extract(epoch FROM clock_timestamp() - w.beat_at)::float8 END AS silent_seconds,
       EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = w.session_pid
               AND starts_with(a.application_name, 'scaicms')) AS has_session
FROM jobs j LEFT JOIN workers w ON w.name = j.worker
WHERE j.state = 'pending' AND j.lease_until < now() LIMIT 1000
"""

_TAKEN = """t AS (
    SELECT j.id FROM jobs j JOIN unnest($1::uuid[], $2::int[]) AS k(id, fence) ON j.id = k.id AND j.fence = k.fence
    WHERE j.state = 'pending' AND j.lease_until < now() FOR UPDATE OF j SKIP LOCKED)"""
_RETURN = f"""
WITH {_TAKEN}
UPDATE jobs j SET lease_until = NULL, started_at = NULL, outages = outages + 1
FROM t WHERE j.id = t.id RETURNING j.id, j.queue, j.run_at <= now() AS due
"""
# Jobs that were lost together are done again together, the culprit among them. After the second time they are spread,
# so that it is alone when it strikes a third time.
_LOSE = f"""
WITH {_TAKEN}
UPDATE jobs j SET lost_leases = lost_leases + 1, lease_until = NULL,
       run_at = CASE WHEN lost_leases >= 1 THEN now() + random() * interval '{APART_SECONDS} seconds' ELSE run_at END,
       last_error = 'The worker ' || coalesce(worker, '?') || ' stopped during this job ('
           || lost_leases + 1 || ' of {MAX_LOST_LEASES} times).'
FROM t WHERE j.id = t.id RETURNING j.id, j.queue, j.run_at <= now() AS due
"""
QUARANTINE_REASON = f"Its worker stopped during this job {MAX_LOST_LEASES} times. It may be what stops workers."


@dataclass(frozen=True, slots=True)
class Expired:
    """A lease that ran out."""

    id: UUID
    queue: str
    name: str
    version: int
    payload: Any
    site_id: UUID | None
    fence: int
    worker: str | None
    lost_leases: int
    outages: int
    expired_seconds: float
    silent_seconds: float | None
    """Since the worker's last sign of life; None when it has no row."""
    has_session: bool


Verdict = Literal["alive", "dead", "unknown"]


def judge(lease: Expired, *, steady_seconds: float, beats: float | None) -> Verdict:
    """Whether the worker of a lease lives. `steady_seconds`: how long the database has been within reach; `beats`:
    seconds since the worker's last beat in Redis."""
    silent = lease.silent_seconds
    if silent is None:
        return "dead"
    if beats is not None and beats < GONE_SECONDS:
        return "alive"
    if silent >= GONE_SECONDS and not lease.has_session:
        return "dead" if steady_seconds >= RETURN_SECONDS else "unknown"
    if silent >= SILENT_SECONDS:
        return "dead" if steady_seconds >= SILENT_SECONDS else "unknown"
    return "alive" if lease.has_session else "unknown"


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to become of the leases that ran out."""

    returned: list[Expired]
    lost: list[Expired]
    quarantined: list[Expired]


async def find(redis: ArqRedis, *, steady_seconds: float) -> Judged:
    """The leases that ran out, judged. Redis is asked only about workers that PostgreSQL has not heard of lately."""
    rows = [Expired(**{**row, "payload": json.loads(row["payload"])}) for row in await db.fetch(_EXPIRED)]
    beats = await _beats(redis, [row for row in rows if row.silent_seconds is not None])
    judged = Judged([], [], [])
    for row in rows:
        verdict = judge(row, steady_seconds=steady_seconds, beats=beats.get(row.worker or ""))
        charged = verdict == "dead" or (verdict == "alive" and row.outages >= MAX_OUTAGES)
        if charged:
            (judged.quarantined if row.lost_leases + 1 >= MAX_LOST_LEASES else judged.lost).append(row)
        elif verdict == "alive" and row.expired_seconds >= OVERDUE_SECONDS and steady_seconds >= RENEWAL_SECONDS:
            judged.returned.append(row)
    return judged


async def _beats(redis: ArqRedis, rows: Sequence[Expired]) -> dict[str, float]:
    workers = sorted({row.worker for row in rows if row.worker and (row.silent_seconds or 0) >= GONE_SECONDS})
    if not workers:
        return {}
    try:
        return await seconds_since_beat(redis, workers)
    except (RedisError, OSError):
        return {}


async def take_back(judged: Judged) -> list[tuple[str, UUID]]:
    """End these leases, but for those of jobs to be set aside; the jobs to ring for at once."""
    again = []
    for sql, rows, counter in ((_RETURN, judged.returned, _returned), (_LOSE, judged.lost, _expired)):
        for row in await db.fetch(sql, *_keys(rows)) if rows else ():
            counter.labels(row["queue"]).inc()
            log.warning("lease.expired", job_id=str(row["id"]), queue=row["queue"], charged=counter is _expired)
            if row["due"]:
                again.append((row["queue"], row["id"]))
    return again


def count_quarantined(lease: Expired) -> None:
    _expired.labels(lease.queue).inc()
    _quarantined.labels(lease.queue).inc()
    log.warning("lease.expired", job_id=str(lease.id), queue=lease.queue, charged=True, state="quarantined")


def _keys(rows: Sequence[Expired]) -> tuple[list[UUID], list[int]]:
    return [row.id for row in rows], [row.fence for row in rows]


async def quarantine(lease: Expired) -> None:
    """Set a job aside that nothing waits for."""
    if await ledger.quarantine(lease, QUARANTINE_REASON):
        count_quarantined(lease)

"""Figures of the queues and single jobs, as operators see them."""

from typing import Any
from uuid import UUID

from arq.connections import ArqRedis
from asyncpg import Record
from redis.exceptions import RedisError

from scaicms.infra import db
from scaicms.infra.jobs.claims import NO_SITE
from scaicms.infra.jobs.declare import QUEUES
from scaicms.infra.jobs.doorbell import arq_queue
from scaicms.infra.lists import Candidates, Key, RowList

WINDOW_MINUTES = 5
# Rates and times are told by the newest jobs of a queue, at most so many: the cost does not grow with the traffic.
SAMPLE = 500

# The stored state with the moments that refine it.
SHOWN_STATE = """CASE WHEN state <> 'pending' THEN state WHEN lease_until > now() THEN 'running'
                      WHEN run_at > now() THEN 'deferred' ELSE 'due' END"""
# The same as conditions that the partial indexes answer: nobody reads a million finished jobs to find ten that wait.
_FREE = """((state = 'pending' AND lease_until IS NULL AND {moment}) OR
            (state = 'pending' AND lease_until IS NOT NULL AND lease_until <= now() AND {moment}))"""
_PENDING_STATES = {
    "running": "state = 'pending' AND lease_until IS NOT NULL AND lease_until > now()",
    "deferred": _FREE.format(moment="run_at > now()"),
    "due": _FREE.format(moment="run_at <= now()"),
}

# Few jobs beside those that are done; each of these has a partial index.
_FEW = {
    ("running", "due", "deferred"): "state = 'pending' AND lease_until IS NOT NULL",
    ("due", "deferred"): "state = 'pending' AND lease_until IS NULL",
    ("dead", "quarantined"): "state IN ('dead', 'quarantined')",
}

_OF_SITE = f"($1::uuid IS NULL OR coalesce(site_id, '{NO_SITE}'::uuid) = $1)"

# Written in the index's own expression, so that it is counted from the index alone.
_WAITING = f"""
SELECT queue, count(*) FILTER (WHERE run_at <= now()) AS due, count(*) FILTER (WHERE run_at > now()) AS deferred,
       extract(epoch FROM now() - min(run_at) FILTER (WHERE run_at <= now()))::float8 AS oldest_due_seconds
FROM jobs WHERE state = 'pending' AND lease_until IS NULL AND {_OF_SITE} GROUP BY queue
"""

_RUNNING = f"""
SELECT queue, count(*) AS running FROM jobs
WHERE state = 'pending' AND lease_until IS NOT NULL AND {_OF_SITE} GROUP BY queue
"""

_DEAD = f"""
SELECT queue, count(*) AS dead FROM jobs WHERE state IN ('dead', 'quarantined') AND {_OF_SITE} GROUP BY queue
"""


def _newest(moment: str) -> str:
    """The newest jobs of each queue by `moment`, within the window; `minutes` is the time that they span."""
    return f"""
    FROM unnest($2::text[]) AS q(queue) CROSS JOIN LATERAL (
        SELECT *, CASE WHEN count(*) OVER () < {SAMPLE} THEN {WINDOW_MINUTES} ELSE
                  extract(epoch FROM now() - min({moment}) OVER ()) / 60 END AS minutes
        FROM (SELECT site_id, state, created_at, run_at, started_at, finished_at FROM jobs
              WHERE queue = q.queue AND {moment} > now() - interval '{WINDOW_MINUTES} minutes'
              ORDER BY {moment} DESC LIMIT {SAMPLE}) newest) j
    WHERE $1::uuid IS NULL OR j.site_id = $1 GROUP BY q.queue
    """


_ENDED = f"""
SELECT q.queue,
       count(*) FILTER (WHERE state = 'done') / greatest(min(minutes), 0.01) AS finished_per_minute,
       count(*) FILTER (WHERE state IN ('dead', 'quarantined')) / greatest(min(minutes), 0.01) AS failed_per_minute,
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
           ORDER BY extract(epoch FROM started_at - greatest(run_at, created_at)) * 1000) AS wait_ms,
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
           ORDER BY extract(epoch FROM finished_at - started_at) * 1000) AS run_ms
{_newest("finished_at")}
"""

_PROMISED = f"SELECT q.queue, count(*) / greatest(min(minutes), 0.01) AS enqueued_per_minute {_newest('created_at')}"

_PAUSED = "SELECT queue, true AS paused FROM queue_pauses"

JOB_COLUMNS = f"""id, queue, name, {SHOWN_STATE} AS state, site_id, priority, attempts, max_attempts, lost_leases,
    run_at, lease_until, worker, cancel_requested, progress, result, last_error, created_at, started_at, finished_at,
    payload->>'actor_kind' AS actor_kind, payload->>'actor_id' AS actor_id"""


async def queue_figures(redis: ArqRedis, site_id: UUID | None) -> list[dict[str, Any]]:
    """One row a queue, every queue, also the idle ones. With `site_id`, that site's jobs alone.

    `redis_depth` counts doorbells, which know no site; it is None when Redis cannot be asked.
    """
    figures: dict[str, dict[str, Any]] = {name: _idle(name) for name in QUEUES}
    asked: list[list[object]] = [[site_id], [site_id], [site_id], [site_id, list(QUEUES)], [site_id, list(QUEUES)], []]
    for sql, arguments in zip((_WAITING, _RUNNING, _DEAD, _ENDED, _PROMISED, _PAUSED), asked, strict=True):
        for row in await db.fetch(sql, *arguments):
            if row["queue"] in figures:
                figures[row["queue"]].update(_flatten(row))
    depths = await _depths(redis)
    for name, depth in depths.items():
        figures[name]["redis_depth"] = depth
    return list(figures.values())


def _idle(queue: str) -> dict[str, Any]:
    counts = dict.fromkeys(("due", "deferred", "running", "dead"), 0)
    rates = dict.fromkeys(("enqueued_per_minute", "finished_per_minute", "failed_per_minute"), 0.0)
    times = dict.fromkeys(("oldest_due_seconds", "wait_p50_ms", "wait_p95_ms", "run_p50_ms", "run_p95_ms"))
    return {"queue": queue, "paused": False, **counts, **rates, **times, "workers": 0, "redis_depth": None}


def _flatten(row: Record) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key in ("wait_ms", "run_ms"):
            stem = key.removesuffix("_ms")
            for name, quantile in zip(("p50", "p95"), value or (None, None), strict=True):
                flat[f"{stem}_{name}_ms"] = None if quantile is None else round(max(0.0, float(quantile)), 2)
        elif key.endswith("_per_minute"):
            flat[key] = round(float(value), 2)
        else:
            flat[key] = value
    return flat


async def _depths(redis: ArqRedis) -> dict[str, int | None]:
    try:
        async with redis.pipeline(transaction=False) as pipe:
            for name in QUEUES:
                pipe.zcard(arq_queue(name))
            return dict(zip(QUEUES, await pipe.execute(), strict=True))
    except (RedisError, OSError):
        return dict.fromkeys(QUEUES)


async def sweep_figures() -> dict[str, float]:
    """How many seconds ago a sweep ended last; before the first one, since the table was made."""
    sql = "SELECT extract(epoch FROM clock_timestamp() - coalesce(swept_at, steady_since))::float8 FROM sweeper"
    return {"sweep_age_seconds": float(await db.fetchval(sql) or 0)}


def jobs(*, site_id: UUID | None, queue: str | None, state: str | None, name: str | None) -> RowList:
    """Jobs, newest first; every filter may be None."""
    found, checked, arguments = list[str](), list[str](), list[object]()
    stored = state if state not in _PENDING_STATES else None
    for column, value in (("site_id", site_id), ("queue", queue), ("name", name), ("state", stored)):
        if value is not None:
            arguments.append(value)
            # An index begins with each of the first two.
            (checked if found or column in ("name", "state") else found).append(f"j.{column} = ${len(arguments)}")
    if state in _PENDING_STATES:
        checked.append(f"({_PENDING_STATES[state]})")
    order = [Key("j.id", "uuid")]
    return RowList(
        table="jobs", alias="j", columns=JOB_COLUMNS, found=found or ["true"], checked=checked, arguments=arguments,
        order=[Key("j.created_at", "timestamptz"), *order] if found else order, descending=True, sort="-created_at",
        candidates=_candidates(state, queue),
    )  # fmt: skip


def _candidates(state: str | None, queue: str | None) -> Candidates | None:
    of_queue, arguments = ("queue = $1", [queue]) if queue is not None else ("true", list[object]())
    ways = [sql for states, sql in _FEW.items() if state in states]
    if not ways:
        return None
    return Candidates(" UNION ALL ".join(f"SELECT id FROM jobs WHERE {way} AND {of_queue}" for way in ways), arguments)


async def get_job(job_id: UUID, *, site_id: UUID | None) -> Record | None:
    return await db.fetchrow(
        f"SELECT {JOB_COLUMNS} FROM jobs WHERE id = $1 AND ($2::uuid IS NULL OR site_id = $2)",
        job_id,
        site_id,
    )

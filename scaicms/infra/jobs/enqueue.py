"""Promising work: rows in the ledger now, a doorbell after the commit."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from asyncpg import Record

from scaicms.infra import db
from scaicms.infra.jobs.declare import JobRequest
from scaicms.infra.jobs.doorbell import ring_all
from scaicms.kit.ids import new_id

# A request that finds its twin waiting touches that row instead: the lock makes a worker's claim wait for
# this transaction, so that the run sees the change which asked for it. DO NOTHING would lose the change.
_INSERT = """
INSERT INTO jobs (id, queue, name, version, payload, site_id, dedupe_key, priority, max_attempts, run_at, created_at)
SELECT r.id, r.queue, r.name, r.version, r.payload::jsonb, r.site_id, r.dedupe_key, r.priority, r.max_attempts,
       coalesce(r.run_at, now()), now()
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::text[], $6::uuid[], $7::text[], $8::smallint[],
            $9::smallint[], $10::timestamptz[])
     AS r(id, queue, name, version, payload, site_id, dedupe_key, priority, max_attempts, run_at)
ON CONFLICT (queue, dedupe_key) WHERE dedupe_key IS NOT NULL AND state = 'pending'
DO UPDATE SET run_at = least(jobs.run_at, excluded.run_at), payload = excluded.payload
RETURNING id, queue, run_at <= now() AS due, (xmax = 0) AS fresh
"""
ARGUMENTS = 10
"""How many of them the statement has."""


@dataclass(frozen=True, slots=True)
class Along:
    """An INSERT that goes in the same statement: its SQL, for the number of its first argument, and its arguments."""

    sql: Callable[[int], str]
    arguments: Sequence[object]
    then: Callable[[int], str] | None = None
    """CTEs that follow from its rows (`along`), for the same number; the last one, `followed`, has `id` and `queue` of
    jobs that they have promised. These are rung for; nobody waits for them."""

    def ctes(self, first: int) -> str:
        """All of it, to stand after WITH."""
        if self.then is None:
            return f"along AS ({self.sql(first)})"
        return f"along AS ({self.sql(first)} RETURNING *), {self.then(first)}"


async def enqueue(request: JobRequest) -> UUID:
    """Insert one job in the open transaction; its id (the waiting twin's, if there is one)."""
    return (await enqueue_all([request]))[0]


async def enqueue_all(requests: Sequence[JobRequest], along: Along | None = None) -> list[UUID]:
    """Insert jobs, and what goes `along` with or without them, at the cost of one statement. Needs an open
    transaction."""
    unique = _coalesce(requests)
    if not unique:
        if along is not None:
            await _alone(along)
        return []
    rows = await db.fetch(
        _statement(along),
        [new_id() for _ in unique],
        [r.job.queue for r in unique],
        [r.job.name for r in unique],
        [r.job.version for r in unique],
        [r.payload.model_dump_json() for r in unique],
        [r.site_id for r in unique],
        [r.dedupe_key for r in unique],
        [r.job.priority for r in unique],
        [r.job.max_attempts for r in unique],
        [r.run_at for r in unique],
        *(along.arguments if along is not None else ()),
    )
    _ring_for([row for row in rows if row["due"] and row["fresh"]])
    return [row["id"] for row in rows if row["asked"]]


def _statement(along: Along | None) -> str:
    if along is None:
        return f"{_INSERT}, true AS asked"
    ctes = along.ctes(ARGUMENTS + 1)
    if along.then is None:
        return f"WITH {ctes} {_INSERT}, true AS asked"
    return f"""WITH {ctes}, asked AS ({_INSERT})
               SELECT id, queue, due, fresh, true AS asked FROM asked
               UNION ALL SELECT id, queue, true, true, false FROM followed"""


async def _alone(along: Along) -> None:
    if along.then is None:
        await db.execute(along.sql(1), *along.arguments)
    else:
        _ring_for(await db.fetch(f"WITH {along.ctes(1)} SELECT id, queue FROM followed", *along.arguments))


def _ring_for(rows: Sequence[Record]) -> None:
    due: dict[str, list[UUID]] = defaultdict(list)
    for row in rows:
        due[row["queue"]].append(row["id"])
    if due:
        db.after_commit(lambda: ring_all(due))


def _coalesce(requests: Sequence[JobRequest]) -> list[JobRequest]:
    """One request a dedupe key, the last one: a single statement may not touch a row twice. Sorted, so that
    two transactions lock shared rows in the same order."""
    keyed = {(r.job.queue, r.dedupe_key): r for r in requests if r.dedupe_key is not None}
    plain = [r for r in requests if r.dedupe_key is None]
    return [keyed[key] for key in sorted(keyed)] + plain

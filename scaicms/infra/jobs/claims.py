"""Claiming: how a worker comes to hold a job.

A claim takes due jobs in turn over the sites that have any, highest priority first, so that one site's flood makes
nobody else wait. It is one statement whose cost depends on the sites it looks at (at most `MAX_SITES` a claim, going
on from the site that was served last), never on how many jobs wait.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from scaicms.infra import db
from scaicms.kit import json

LEASE_SECONDS = 15.0
MAX_SITES = 32
NO_SITE = UUID(int=0)
"""Stands for "belongs to no site" in the index and in turns: unlike NULL it has a place in the order."""

_SITE = f"coalesce(site_id, '{NO_SITE}'::uuid)"
_FREE = "state = 'pending' AND run_at <= now() AND lease_until IS NULL"
_TAKE = """fence = fence + 1, lease_until = now() + $1 * interval '1 second', worker = $2, dedupe_key = NULL,
           started_at = clock_timestamp()"""
# $3, $4: the names and newest versions of jobs that this process can do; others stay pending for those who can.
_KNOWN = "j.version <= ($4::int[])[array_position($3::text[], j.name::text)]"
_NOT_PAUSED = "NOT EXISTS (SELECT 1 FROM queue_pauses p WHERE p.queue = {queue})"
_CLAIMED = """j.id, j.queue, j.name, j.version, j.payload, j.site_id, j.attempts, j.max_attempts, j.fence, j.progress,
    j.run_at, j.created_at, j.started_at, j.cancel_requested, j.outages"""

_CLAIM_ONE = f"""
UPDATE jobs j SET {_TAKE} WHERE j.id = $5 AND {_FREE} AND {_KNOWN} AND {_NOT_PAUSED.format(queue="j.queue")}
RETURNING {_CLAIMED}
"""


def _next_site(after: str) -> str:
    return f"""(SELECT {_SITE} FROM jobs j WHERE queue = $5 AND {_SITE} > {after} AND {_FREE} AND {_KNOWN}
                ORDER BY {_SITE} LIMIT 1)"""


# The sites after $6 in the order of the index, then from the first one on: a walk from one site with something to
# claim to the next, one probe each.
_CLAIM_DUE = f"""
WITH RECURSIVE later(site) AS (
    SELECT {_next_site("$6::uuid")}
    UNION ALL SELECT {_next_site("l.site")} FROM later l WHERE l.site IS NOT NULL),
first(site) AS (
    SELECT (SELECT {_SITE} FROM jobs j WHERE queue = $5 AND {_FREE} AND {_KNOWN} ORDER BY {_SITE} LIMIT 1)
    UNION ALL SELECT {_next_site("f.site")} FROM first f WHERE f.site < $6::uuid),
walked AS (
    (SELECT site FROM later WHERE site IS NOT NULL LIMIT {MAX_SITES})
    UNION ALL
    (SELECT site FROM first WHERE site <= $6::uuid LIMIT {MAX_SITES})),
turns AS MATERIALIZED (
    SELECT site, row_number() OVER (ORDER BY site <= $6::uuid, site) AS turn FROM walked
    WHERE site <> ALL($7::uuid[]) AND {_NOT_PAUSED.format(queue="$5")} ORDER BY turn LIMIT {MAX_SITES}),
due AS MATERIALIZED (
    SELECT f.id, f.priority, f.run_at, t.turn, t.site
    FROM turns t CROSS JOIN LATERAL (
        SELECT j.id, j.priority, j.run_at FROM jobs j
        WHERE j.queue = $5 AND {_SITE} = t.site AND {_FREE} AND {_KNOWN}
        ORDER BY j.priority DESC, j.run_at LIMIT $8 FOR UPDATE SKIP LOCKED) f),
chosen AS (
    SELECT id, site, row_number() OVER (ORDER BY priority DESC, rank, turn) AS place
    FROM (SELECT *, row_number() OVER (PARTITION BY site ORDER BY priority DESC, run_at) AS rank FROM due) ranked
    ORDER BY place LIMIT $8)
UPDATE jobs j SET {_TAKE} FROM chosen c WHERE j.id = c.id
RETURNING {_CLAIMED}, c.place
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker holds until its lease runs out."""

    id: UUID
    queue: str
    name: str
    version: int
    payload: Any
    site_id: UUID | None
    attempts: int
    max_attempts: int
    fence: int
    progress: Any
    run_at: datetime
    created_at: datetime
    started_at: datetime
    cancel_requested: bool
    outages: int

    @property
    def waited(self) -> float:
        """Seconds between the moment it was due and now."""
        return max(0.0, (self.started_at - max(self.run_at, self.created_at)).total_seconds())


def _claim(row: Any) -> Claim:
    values = {name: row[name] for name in Claim.__slots__}
    values["payload"] = json.loads(values["payload"])
    values["progress"] = json.loads(values["progress"]) if values["progress"] is not None else None
    return Claim(**values)


async def claim(job_id: UUID, *, worker: str, known: Mapping[str, int]) -> Claim | None:
    """Take the job if it is due, free, and of a name and version that this worker knows."""
    row = await db.fetchrow(_CLAIM_ONE, LEASE_SECONDS, worker, list(known), list(known.values()), job_id)
    return _claim(row) if row is not None else None


async def claim_due(
    queue: str,
    *,
    worker: str,
    known: Mapping[str, int],
    limit: int,
    after: UUID = NO_SITE,
    without: Sequence[UUID] = (),
) -> list[Claim]:
    """Take up to `limit` due jobs, best first: a job of each site in turn, beginning after the site `after`, none
    of the sites `without`."""
    rows = await db.fetch(
        _CLAIM_DUE, LEASE_SECONDS, worker, list(known), list(known.values()), queue, after, list(without), limit
    )
    return [_claim(row) for row in sorted(rows, key=lambda row: row["place"])]

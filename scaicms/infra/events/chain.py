"""The chain that shows tampering: hash = SHA-256(hash before || row). The log is linked a little later than written.

A chain computed inside each transaction would let one transaction write at a time. Rows are linked when no
transaction older than theirs is running any more, so that nothing can come in before them; they are numbered
(`position`) as they are linked, since `seq` has gaps and commits out of order.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson
import structlog
from asyncpg import Record

from scaicms.infra import db

BATCH = 1000
MAX_PROBLEMS = 100
LATE = timedelta(minutes=15)
"""A row this much older than one linked before it was not written when it says."""

_COLUMNS = """seq, id, site_id, type, version, aggregate_id, payload, actor_kind, actor_id, occurred_at, ip, request_id,
              position, hash"""
# Beyond the snapshot's end lie transactions of another cluster, from which this database was restored.
_READY = f"""
SELECT {_COLUMNS} FROM events
WHERE hash IS NULL AND (xid < pg_snapshot_xmin(pg_current_snapshot()) OR xid >= pg_snapshot_xmax(pg_current_snapshot()))
ORDER BY seq LIMIT {BATCH}
"""
_LINK = """UPDATE events SET position = l.position, hash = l.hash
           FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS l(seq, position, hash) WHERE events.seq = l.seq"""
log = structlog.get_logger(__name__)


def link(before: bytes, position: int, row: Record) -> bytes:
    """The hash of a row at its place."""
    values = [
        position,
        row["seq"],
        str(row["id"]),
        str(row["site_id"]),
        row["type"],
        row["version"],
        str(row["aggregate_id"]),
        orjson.loads(row["payload"]),
        row["actor_kind"],
        str(row["actor_id"]),
        row["occurred_at"],
        row["ip"],
        row["request_id"],
    ]
    canonical = orjson.dumps(values, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    return hashlib.sha256(before + canonical).digest()


async def seal() -> int:
    """Link one batch of rows; how many. None while another process is linking."""
    async with db.transaction():
        chain = await db.fetchrow("SELECT head_position, head_hash FROM event_chain FOR UPDATE SKIP LOCKED")
        rows = await db.fetch(_READY) if chain is not None else []
        if chain is None or not rows:
            return 0
        first, head = chain["head_position"] + 1, chain["head_hash"]
        hashes = []
        for position, row in enumerate(rows, first):
            head = link(head, position, row)
            hashes.append(head)
        last = first + len(rows) - 1
        await db.execute(_LINK, [row["seq"] for row in rows], list(range(first, last + 1)), hashes)
        await db.execute("UPDATE event_chain SET head_position = $1, head_hash = $2", last, head)
    # Whoever keeps the log lines elsewhere can tell later whether the whole chain was computed anew.
    log.info("audit.sealed", position=last, hash=head.hex())
    return len(rows)


@dataclass(frozen=True, slots=True)
class Problem:
    """One place where the log is not as it was written."""

    position: int
    seq: int | None
    kind: Literal["changed", "missing", "inserted", "backdated"]


@dataclass(slots=True)
class Verdict:
    """What a walk along the chain has found."""

    checked: int = 0
    unsealed: int = 0
    anchor_position: int = 0
    head_position: int = 0
    head_hash: str = ""
    problems: list[Problem] = field(default_factory=list)

    def add(self, position: int, seq: int | None, kind: Literal["changed", "missing", "inserted", "backdated"]) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(position, seq, kind))


async def verify() -> Verdict:
    """Walk along the whole chain, at the memory cost of one batch."""
    while True:
        verdict = await _walk()
        # What retention has cut off meanwhile is not missing.
        if await db.fetchval("SELECT anchor_position FROM event_chain") == verdict.anchor_position:
            return verdict


async def _walk() -> Verdict:
    chain = await db.fetchrow("SELECT * FROM event_chain")
    if chain is None:
        raise RuntimeError("event_chain has lost its row")
    verdict = Verdict(
        anchor_position=chain["anchor_position"],
        head_position=chain["head_position"],
        head_hash=chain["head_hash"].hex(),
    )
    position, before = chain["anchor_position"], chain["anchor_hash"]
    newest: datetime | None = None
    async for row in _linked(position, chain["head_position"]):
        if row["position"] != position + 1:
            verdict.add(position + 1, None, "missing")
        elif link(before, row["position"], row) != row["hash"]:
            verdict.add(row["position"], row["seq"], "changed")
        if newest is not None and row["occurred_at"] < newest - LATE:
            verdict.add(row["position"], row["seq"], "backdated")
        newest = max(newest or row["occurred_at"], row["occurred_at"])
        # Go on from what is stored, so that one bad row is one problem.
        position, before = row["position"], row["hash"] or b""
        verdict.checked += 1
    if position != chain["head_position"]:
        verdict.add(position + 1, None, "missing")
    elif before != chain["head_hash"]:
        verdict.add(position, None, "changed")
    await _look_outside(verdict, newest)
    return verdict


async def _look_outside(verdict: Verdict, newest: datetime | None) -> None:
    """Rows that the chain does not hold: waiting to be linked, or put there by somebody."""
    strange = await db.fetch(
        f"""SELECT e.position, e.seq FROM events e, event_chain c
            WHERE e.position > c.head_position OR e.position <= c.anchor_position
               OR (e.position IS NULL) <> (e.hash IS NULL) LIMIT {MAX_PROBLEMS}"""
    )
    for row in strange:
        verdict.add(row["position"] or 0, row["seq"], "inserted")
    verdict.unsealed = await db.fetchval("SELECT count(*) FROM events WHERE hash IS NULL")
    if newest is not None:
        late = await db.fetch(
            f"SELECT seq FROM events WHERE hash IS NULL AND occurred_at < $1 LIMIT {MAX_PROBLEMS}", newest - LATE
        )
        for row in late:
            verdict.add(0, row["seq"], "backdated")


async def _linked(after: int, until: int) -> AsyncIterator[Record]:
    # By stretches of the chain and not by LIMIT: whatever the planner thinks, a batch costs a batch.
    sql = f"SELECT {_COLUMNS} FROM events WHERE position > $1 AND position <= $2 ORDER BY position"
    while after < until:
        for row in await db.fetch(sql, after, min(after + BATCH, until)):
            yield row
        after += BATCH


_NOTE_CUT = """
INSERT INTO event_cuts AS c (site_id, last_seq, max_seq, occurred_at)
SELECT site_id, (array_agg(seq ORDER BY position DESC))[1], max(seq), max(occurred_at)
FROM events WHERE position <= $1 AND site_id IS NOT NULL GROUP BY site_id
ON CONFLICT (site_id) DO UPDATE SET last_seq = excluded.last_seq, max_seq = greatest(c.max_seq, excluded.max_seq),
                                    occurred_at = greatest(c.occurred_at, excluded.occurred_at)
"""


async def cut(keep: timedelta, *, held: str = "SELECT NULL::uuid WHERE false") -> int:
    """Remove one batch from the old end: linked rows all older than `keep`; how many. The chain goes on from there.

    `held` is SQL for the ids of things on legal hold: their events go to `held_events`, where the audit log finds them.
    """
    async with db.transaction():
        chain = await db.fetchrow("SELECT anchor_position, head_position FROM event_chain FOR UPDATE SKIP LOCKED")
        if chain is None:
            return 0
        anchor, head = chain["anchor_position"], chain["head_position"]
        kept = await db.fetchval(
            """SELECT min(position) FROM (SELECT position, occurred_at FROM events WHERE position > $1
               ORDER BY position LIMIT $2) AS oldest WHERE occurred_at >= now() - $3::interval""",
            anchor,
            BATCH,
            keep,
        )
        until = min(anchor + BATCH, head) if kept is None else kept - 1
        if until <= anchor:
            return 0
        digest = await db.fetchval("SELECT hash FROM events WHERE position = $1", until)
        if digest is None:
            log.error("audit.not_cut", position=until, reason="there is no row at this position")
            return 0
        await db.execute("UPDATE event_chain SET anchor_position = $1, anchor_hash = $2", until, digest)
        await db.execute(_NOTE_CUT, until)
        await db.execute(
            f"""INSERT INTO held_events ({_COLUMNS})
                SELECT {_COLUMNS} FROM events WHERE position <= $1 AND aggregate_id IN ({held})""",
            until,
        )
        return await db.execute("DELETE FROM events WHERE position <= $1", until)


def as_dict(row: Record) -> dict[str, Any]:
    """A row of the log, as it is shown and exported."""
    return {
        "id": row["id"],
        "seq": row["seq"],
        "action": row["type"],
        "actor": {"kind": row["actor_kind"], "id": row["actor_id"], "name": row["actor_name"]},
        "target": row["aggregate_id"],
        "site_id": row["site_id"],
        "occurred_at": row["occurred_at"],
        "ip": row["ip"],
        "request_id": row["request_id"],
        "data": orjson.loads(row["payload"]),
        "position": row["position"],
        "hash": row["hash"].hex() if row["hash"] is not None else None,
    }

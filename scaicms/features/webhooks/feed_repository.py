"""Reading the log as a feed."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.webhooks.leaving import Seen, condition, matching
from scaicms.infra import db

NEAR = 5_000
"""Events are linked nearly in the order of `seq`: the first one beyond a place is among so many."""


async def is_unlinked(site_id: UUID) -> bool:
    """Whether there are events of the site that have no place in the chain yet."""
    return bool(await db.fetchval("SELECT EXISTS (SELECT FROM events WHERE hash IS NULL AND site_id = $1)", site_id))


async def cut(site_id: UUID, seq: int) -> Record | None:
    """What retention has removed of a site (`last_seq`, `max_seq`, `occurred_at`), and whether the event with this
    `seq` `is_there`; None where it has removed nothing."""
    return await db.fetchrow(
        """SELECT last_seq, max_seq, occurred_at,
                  EXISTS (SELECT FROM events WHERE seq = $2 AND site_id = $1) AS is_there
           FROM event_cuts WHERE site_id = $1""",
        site_id,
        seq,
    )


async def after(site_id: UUID, seq: int, seen: Sequence[Seen], patterns: Sequence[str], limit: int) -> list[Record]:
    """The events of a site that follow the one with this `seq`, in the order of the chain; `wanted` are those that may
    be read and are asked for. A `seq` that the log does not have (any more) stands for what is greater."""
    arguments: list[Any] = [site_id, seq, limit]
    readable = condition(seen, arguments, type_column="e.type", payload_column="e.payload")
    fits = matching(patterns, arguments, type_column="e.type")
    return await db.fetch(
        f"""WITH place AS (SELECT position FROM events WHERE seq = $2 AND site_id = $1 AND position IS NOT NULL),
            greater AS (
                SELECT min(position) - 1 AS position
                FROM (SELECT position FROM events WHERE site_id = $1 AND seq > $2 ORDER BY seq LIMIT {NEAR}) e),
            start AS (
                SELECT CASE WHEN EXISTS (SELECT FROM place) THEN (SELECT position FROM place)
                            WHEN $2 = 0 THEN 0 ELSE (SELECT position FROM greater) END AS position),
            looked AS MATERIALIZED (
                SELECT e.* FROM events e
                WHERE e.site_id = $1 AND e.position > (SELECT position FROM start)
                  AND (e.seq > $2 OR EXISTS (SELECT FROM place))
                ORDER BY e.position LIMIT $3),
            told AS (SELECT e.*, {readable} AND {fits} AS wanted FROM looked e)
            SELECT seq, wanted, CASE WHEN wanted THEN id END AS id, CASE WHEN wanted THEN site_id END AS site_id,
                   CASE WHEN wanted THEN type END AS type, CASE WHEN wanted THEN version END AS version,
                   CASE WHEN wanted THEN occurred_at END AS occurred_at,
                   CASE WHEN wanted THEN (jsonb_build_object('id', aggregate_id) || payload)::text END AS data
            FROM told ORDER BY position""",
        *arguments,
    )

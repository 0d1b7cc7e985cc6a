"""Removing what is of the past and too much, a batch of rows at a time.

Of a day (UTC) that is older than the cut, the last version stays; and always what is the draft or published, what is
still delivered, and everything of items on legal hold.
"""

from dataclasses import dataclass
from datetime import timedelta

from scaicms.infra import db

TABLES = ("revisions", "document_history", "document_term_history")

_FREE = "NOT EXISTS (SELECT FROM content_holds h WHERE h.item_id = r.item_id)"
_DAY_AFTER = "(date_trunc('day', {moment} AT TIME ZONE 'UTC') + interval '1 day') AT TIME ZONE 'UTC'"
_PAGE = "page AS MATERIALIZED (SELECT id FROM {table} WHERE id > $1 ORDER BY id LIMIT $2)"
_FOUND = "SELECT (SELECT max(id) FROM page) AS last, (SELECT count(*) FROM gone) AS removed"

_REVISIONS = f"""
WITH {_PAGE.format(table="revisions")}, gone AS (
  DELETE FROM revisions r USING page
   WHERE r.id = page.id AND r.created_at < now() - $3::interval AND {_FREE}
     AND EXISTS (SELECT FROM revisions l
                  WHERE l.item_id = r.item_id AND l.locale = r.locale AND l.number > r.number
                    AND l.created_at < {_DAY_AFTER.format(moment="r.created_at")})
     AND NOT EXISTS (SELECT FROM entries e
                      WHERE e.item_id = r.item_id AND e.locale = r.locale
                        AND r.number IN (e.version, e.published_version))
  RETURNING 1)
{_FOUND}"""

# Of versions that follow each other without a gap the one before takes the time of those that go: a moment between has
# what was there when its day began, and what was not published then is not now.
_HISTORY = """
WITH RECURSIVE {page}, doomed AS MATERIALIZED (
  SELECT r.id, r.item_id, r.locale, r.valid_from, r.valid_to FROM {table} r JOIN page USING (id)
   WHERE r.valid_to < now() - $3::interval AND {free}
     AND EXISTS (SELECT FROM {table} l
                  WHERE l.item_id = r.item_id AND l.locale = r.locale AND l.valid_to >= r.valid_to AND l.id > r.id
                    AND l.valid_from < {day_after})),
chain AS (
  SELECT k.id, k.item_id, k.locale, d.valid_to AS upto
    FROM doomed d JOIN {table} k ON k.item_id = d.item_id AND k.locale = d.locale AND k.valid_to = d.valid_from
   WHERE k.valid_from < k.valid_to AND k.id NOT IN (SELECT id FROM doomed)
  UNION
  SELECT c.id, c.item_id, c.locale, d.valid_to
    FROM chain c JOIN doomed d ON d.item_id = c.item_id AND d.locale = c.locale AND d.valid_from = c.upto),
extended AS (
  UPDATE {table} k SET valid_to = c.upto FROM (SELECT id, max(upto) AS upto FROM chain GROUP BY id) c
   WHERE k.id = c.id),
gone AS (DELETE FROM {table} r USING doomed WHERE r.id = doomed.id RETURNING 1)
{found}"""


@dataclass(frozen=True, slots=True)
class Compacted:
    """How far a batch came, None at the end of the table; how many rows went."""

    last: int | None
    removed: int


async def compact(table: str, *, after: int, limit: int, days: int) -> Compacted:
    """Look at the next `limit` rows of one of `TABLES`."""
    history = _HISTORY.format(
        page=_PAGE.format(table=table),
        table=table,
        free=_FREE,
        day_after=_DAY_AFTER.format(moment="r.valid_from"),
        found=_FOUND,
    )
    row = await db.fetchrow(_REVISIONS if table == "revisions" else history, after, limit, timedelta(days=days))
    return Compacted(row["last"], row["removed"]) if row is not None else Compacted(None, 0)

"""Every statement on what is scheduled for items. The database's clock alone says what is due, past and late."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from scaicms.features.content.paths import Bound
from scaicms.features.content.publishing_schemas import ListSchedule
from scaicms.infra import db
from scaicms.infra.lists import Candidates, Key, RowList, look_up
from scaicms.kit.principal import Narrowing, Principal, Scope

# What became of a row whose job ended without doing it: stopped by an operator, or failed for good without a word.
# A row that was given up with its job waits again when an operator retries the job.
_STATE = """CASE WHEN s.error IS NOT NULL AND j.state = 'pending' THEN 'pending'
                 WHEN s.state <> 'pending' OR j.state = 'pending' THEN s.state
                 WHEN j.state = 'cancelled' THEN 'cancelled' ELSE 'failed' END"""
_SHOWN = f"""s.id, s.item_id, t.key AS type, i.slug, s.locales, s.action, s.due_at, {_STATE} AS state, s.done_at,
    s.late_by, coalesce(s.error, CASE WHEN s.state = 'pending' THEN j.last_error END) AS error, s.release_id, s.job_id,
    s.created_at, s.actor_id AS created_by"""


async def is_to_come(moment: datetime) -> bool:
    return bool(await db.fetchval("SELECT $1 > clock_timestamp()", moment))


async def now() -> datetime:
    moment: datetime = await db.fetchval("SELECT clock_timestamp()")
    return moment


async def pending_for(item_id: UUID, locale: str) -> list[UUID]:
    """What is to come for this locale of an item alone and is no part of a release."""
    rows = await db.fetch(
        """SELECT id FROM content_schedule
           WHERE item_id = $1 AND locales = ARRAY[$2::text] AND state = 'pending' AND release_id IS NULL ORDER BY id""",
        item_id,
        locale,
    )
    return [row["id"] for row in rows]


async def publishes_by(item_id: UUID, locale: str, moment: datetime) -> bool:
    """Whether something that is to come publishes the locale of an item at this moment at the latest."""
    return bool(
        await db.fetchval(
            """SELECT EXISTS (SELECT 1 FROM content_schedule
                              WHERE item_id = $1 AND (locales IS NULL OR $2 = ANY(locales)) AND state = 'pending'
                                AND action = 'publish' AND due_at <= $3)""",
            item_id,
            locale,
            moment,
        )
    )


async def insert(
    schedule_id: UUID,
    site_id: UUID,
    item_id: UUID,
    locales: Sequence[str] | None,
    action: str,
    due_at: datetime,
    *,
    job_id: UUID,
    actor: Principal,
    release_id: UUID | None = None,
) -> None:
    await db.execute(
        """INSERT INTO content_schedule (id, site_id, item_id, locales, action, due_at, state, release_id, job_id,
                                         created_at, actor_kind, actor_id)
           VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, now(), $9, $10)""",
        schedule_id,
        site_id,
        item_id,
        locales,
        action,
        due_at,
        release_id,
        job_id,
        actor.kind,
        actor.id,
    )


async def find(schedule_id: UUID, *, site_id: UUID | None = None, lock: bool = False) -> Record | None:
    """A row, of any site for None. `lock` waits for who is about to do or cancel it; hold its item first."""
    locking = "FOR UPDATE" if lock else ""
    sql = f"SELECT * FROM content_schedule WHERE id = $1 AND ($2::uuid IS NULL OR site_id = $2) {locking}"
    return await db.fetchrow(sql, schedule_id, site_id)


async def finish(schedule_id: UUID, error: str | None) -> float:
    """Done, or failed with this error; the seconds since it was due."""
    late_by = await db.fetchval(
        """UPDATE content_schedule
           SET state = CASE WHEN $2::text IS NULL THEN 'done' ELSE 'failed' END, error = $2,
               done_at = clock_timestamp(), late_by = extract(epoch FROM clock_timestamp() - due_at)
           WHERE id = $1 RETURNING late_by""",
        schedule_id,
        error,
    )
    return float(late_by)


async def give_up(schedule_ids: Sequence[UUID], reason: str, *, cancelled: bool) -> None:
    """The job of these rows was given up; with its reason, a row can be done yet when an operator retries the job."""
    await db.execute(
        "UPDATE content_schedule SET state = $3, error = $2, done_at = clock_timestamp() WHERE id = ANY($1)",
        list(schedule_ids),
        reason,
        "cancelled" if cancelled else "failed",
    )


async def cancel(schedule_id: UUID) -> None:
    await db.execute("UPDATE content_schedule SET state = 'cancelled' WHERE id = $1", schedule_id)


async def cancel_all(item_id: UUID) -> None:
    """Nothing will happen to the item any more; its jobs find nothing to do."""
    await db.execute(
        "UPDATE content_schedule SET state = 'cancelled' WHERE item_id = $1 AND state = 'pending'", item_id
    )


async def ends_of(item_id: UUID) -> list[Record]:
    """What is published of an item: `locale version body`, and `unpublish_at` where its end is scheduled."""
    return await db.fetch(
        """SELECT d.locale, d.version, d.body,
                  (SELECT min(s.due_at) FROM content_schedule s
                   WHERE s.item_id = d.item_id AND s.state = 'pending' AND s.action = 'unpublish'
                     AND (s.locales IS NULL OR d.locale = ANY(s.locales))
                     AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = s.job_id AND j.state = 'pending')) AS unpublish_at
           FROM documents d WHERE d.item_id = $1""",
        item_id,
    )


async def due_figures() -> dict[str, float]:
    """How much is due on all sites and not done yet, a release being one thing, and for how many seconds the oldest has
    been. What failed for good or was stopped is not among it: dead jobs have figures of their own."""
    row = await db.fetchrow(
        """SELECT count(DISTINCT coalesce(s.release_id, s.id)) AS due,
                  coalesce(extract(epoch FROM now() - min(s.due_at)), 0)::float8 AS oldest_due_seconds
           FROM content_schedule s JOIN jobs j ON j.id = s.job_id AND j.state = 'pending'
           WHERE s.state = 'pending' AND s.due_at <= now()"""
    )
    return dict(row) if row is not None else {}


def scheduled(site_id: UUID, query: ListSchedule, scope: Scope | None) -> RowList:
    """What is scheduled for items within reach, the first due first."""
    bound = Bound(1)
    found, checked = ["s.site_id = $1"], ["i.id IS NOT NULL", "i.deleted_at IS NULL", within(scope, bound)]
    if query.item is not None:
        checked.append(f"s.item_id = {bound.bind(query.item)}")
    if query.state is not None:
        checked.append(f"{_STATE} = {bound.bind(query.state)}")
    if query.since is not None:
        found.append(f"s.due_at >= {bound.bind(query.since)}")
    if query.until is not None:
        found.append(f"s.due_at < {bound.bind(query.until)}")
    of_item = "SELECT id FROM content_schedule WHERE item_id = $1"
    job = look_up("jobs", "j", "j.id = s.job_id")
    return RowList(
        table="content_schedule", alias="s", columns=_SHOWN, found=found, checked=checked,
        joins=f"""{look_up("items", "i", "i.id = s.item_id")} LEFT JOIN content_types t ON t.id = i.type_id
                  {job if query.state is not None else ""}""",
        shown_joins=job if query.state is None else "",
        arguments=[site_id, *bound.arguments], order=[Key("s.due_at", "timestamptz"), Key("s.id", "uuid")],
        sort="due_at", candidates=Candidates(of_item, [query.item]) if query.item is not None else None,
    )  # fmt: skip


def within(scope: Scope | None, bound: Bound) -> str:
    """Whether the row `s`, of the item `i` with the type `t`, is about what is within reach."""
    if scope is None:
        return "true"
    ways = [" AND ".join(_bounds(narrowing, scope, bound)) for narrowing in scope.bounds]
    return f"({' OR '.join(f'({way})' for way in ways) or 'false'})"


def _bounds(narrowing: Narrowing, scope: Scope, bound: Bound) -> list[str]:
    conditions = ["true"]
    if narrowing.content_types is not None:
        conditions.append(f"t.key = ANY({bound.bind(list(narrowing.content_types))})")
    if narrowing.locales is not None:
        locales = bound.bind(list(narrowing.locales))
        conditions.append(f"""(SELECT true FROM entries e WHERE e.item_id = i.id AND e.locale = ANY({locales})
                               AND (s.locales IS NULL OR e.locale = ANY(s.locales)) LIMIT 1) IS TRUE""")
    if narrowing.own_only:
        conditions.append(f"i.created_by = {bound.bind(scope.owner_id)}")
    return conditions

"""Every statement on releases; each names its site."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from scaicms.features.content.paths import Bound
from scaicms.features.content.publishing_schemas import ReleaseItem
from scaicms.features.content.schedule_repository import within
from scaicms.infra import db
from scaicms.infra.lists import Key, RowList
from scaicms.kit import json
from scaicms.kit.errors import FieldError
from scaicms.kit.principal import Principal, Scope

_ITEMS = """(SELECT json_agg(json_build_object('id', r.item_id, 'locale', r.locale, 'action', r.action)
                              ORDER BY r.place)
             FROM content_release_items r WHERE r.release_id = c.id) AS items"""
_SHOWN = f"c.*, {_ITEMS}"


async def insert(release_id: UUID, site_id: UUID, name: str, actor: Principal) -> None:
    await db.execute(
        """INSERT INTO content_releases (id, site_id, name, version, state, problems, created_at, created_by,
                                         updated_at, actor_kind, actor_id)
           VALUES ($1, $2, $3, 1, 'open', '[]', now(), $4, now(), $5, $6)""",
        release_id,
        site_id,
        name,
        actor.author_id,
        actor.kind,
        actor.id,
    )


async def put_items(release_id: UUID, items: Sequence[ReleaseItem]) -> None:
    """These, in place of those that there were."""
    await db.execute("DELETE FROM content_release_items WHERE release_id = $1", release_id)
    await db.execute(
        """INSERT INTO content_release_items (release_id, place, item_id, locale, action)
           SELECT $1, r.place - 1, r.item_id, r.locale, r.action
           FROM unnest($2::uuid[], $3::text[], $4::text[]) WITH ORDINALITY AS r(item_id, locale, action, place)""",
        release_id,
        [item.id for item in items],
        [item.locale for item in items],
        [item.action for item in items],
    )


async def update(release_id: UUID, name: str, due_at: datetime | None, job_id: UUID | None, actor: Principal) -> None:
    """A new version of it, to be done at a time or not; what went wrong before is forgotten."""
    await db.execute(
        """UPDATE content_releases
           SET name = $2, due_at = $3, job_id = $4, state = CASE WHEN $4::uuid IS NULL THEN 'open' ELSE 'scheduled' END,
               problems = '[]', done_at = NULL, late_by = NULL, version = version + 1, updated_at = now(),
               actor_kind = $5, actor_id = $6
           WHERE id = $1""",
        release_id,
        name,
        due_at,
        job_id,
        actor.kind,
        actor.id,
    )


async def finish(release_id: UUID, problems: Sequence[FieldError], *, late: bool) -> None:
    """Done, or failed with these problems; `late`: at its time."""
    await db.execute(
        """UPDATE content_releases
           SET state = CASE WHEN $2::jsonb = '[]' THEN 'done' ELSE 'failed' END, problems = $2::jsonb,
               done_at = clock_timestamp(), version = version + 1, job_id = NULL,
               late_by = CASE WHEN $3 THEN extract(epoch FROM clock_timestamp() - due_at) END
           WHERE id = $1""",
        release_id,
        json.dumps_text([problem.as_dict() for problem in problems]),
        late,
    )


async def give_up(release_id: UUID, job_id: UUID, problem: FieldError, *, cancelled: bool) -> list[UUID]:
    """The job of a release was given up, and its rows with it; the items of these. With its job it can be done yet."""
    await db.execute(
        """UPDATE content_releases SET state = 'failed', problems = $2::jsonb, done_at = clock_timestamp(),
                  version = version + 1 WHERE id = $1""",
        release_id,
        json.dumps_text([problem.as_dict()]),
    )
    rows = await db.fetch(
        """UPDATE content_schedule SET state = $3, error = $4, done_at = clock_timestamp()
           WHERE release_id = $1 AND job_id = $2 AND state = 'pending' RETURNING item_id""",
        release_id,
        job_id,
        "cancelled" if cancelled else "failed",
        problem.message,
    )
    return [row["item_id"] for row in rows]


async def finish_rows(release_id: UUID, job_id: UUID, errors: Sequence[str | None]) -> float:
    """What was scheduled with it is done, or failed, each for its reason, in the order of its items; the seconds since
    it was due."""
    rows = await db.fetch(
        """UPDATE content_schedule s
           SET state = CASE WHEN e.error IS NULL THEN 'done' ELSE 'failed' END, error = e.error,
               done_at = clock_timestamp(), late_by = extract(epoch FROM clock_timestamp() - s.due_at)
           FROM content_release_items r, unnest($2::text[]) WITH ORDINALITY AS e(error, place)
           WHERE s.release_id = $1 AND s.job_id = $3 AND (s.state = 'pending' OR s.error IS NOT NULL)
             AND r.release_id = $1 AND r.item_id = s.item_id
             AND s.locales IS NOT DISTINCT FROM CASE WHEN r.locale IS NOT NULL THEN ARRAY[r.locale::text] END
             AND e.place = r.place + 1
           RETURNING s.late_by""",
        release_id,
        errors,
        job_id,
    )
    return max((float(row["late_by"]) for row in rows), default=0.0)


async def cancel_rows(release_id: UUID) -> list[UUID]:
    """Nothing is scheduled with it any more; the items for which something was."""
    rows = await db.fetch(
        """UPDATE content_schedule SET state = 'cancelled' WHERE release_id = $1 AND state = 'pending'
           RETURNING item_id""",
        release_id,
    )
    return [row["item_id"] for row in rows]


async def remove(release_id: UUID) -> None:
    await db.execute("DELETE FROM content_release_items WHERE release_id = $1", release_id)
    await db.execute("DELETE FROM content_releases WHERE id = $1", release_id)


async def find(site_id: UUID, release_id: UUID, scope: Scope | None, *, lock: bool = False) -> Record | None:
    """A release with its `items` (JSON), if all of them are within reach. `lock`: hold its items first."""
    bound = Bound(2)
    sql = f"""SELECT {_SHOWN} FROM content_releases c WHERE c.site_id = $1 AND c.id = $2 AND {_whole(scope, bound)}
              {"FOR UPDATE OF c" if lock else ""}"""
    return await db.fetchrow(sql, site_id, release_id, *bound.arguments)


def releases(site_id: UUID, scope: Scope | None) -> RowList:
    """Releases, newest first, all of whose items are within reach."""
    bound = Bound(1)
    checked = [] if scope is None else [_whole(scope, bound)]
    return RowList(
        table="content_releases", alias="c", columns=_SHOWN, found=["c.site_id = $1"], checked=checked,
        arguments=[site_id, *bound.arguments], order=[Key("c.id", "uuid")], descending=True, sort="-id",
    )  # fmt: skip


def _whole(scope: Scope | None, bound: Bound) -> str:
    if scope is None:
        return "true"
    return f"""(
        SELECT true FROM (SELECT r.item_id, CASE WHEN r.locale IS NOT NULL THEN ARRAY[r.locale] END AS locales
                       FROM content_release_items r WHERE r.release_id = c.id) s
        JOIN items i ON i.id = s.item_id JOIN content_types t ON t.id = i.type_id WHERE NOT {within(scope, bound)}
        LIMIT 1) IS NULL"""

"""Every statement on the rows that hold data of a type, in whatever tables features have declared (`TypedRows`).

A plan's new rows wait in `content_type_plan_rows` until all are exchanged in one transaction; afterwards they are what
the plan is undone from.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.infra import db
from scaicms.infra.db.retention import held_ids
from scaicms.infra.db.typed_rows import TypedRows
from scaicms.kit import json
from scaicms.kit.principal import Principal

_declared: list[TypedRows] = []


def declare(rows: Iterable[TypedRows]) -> None:
    """Make the tables of all features known; called once at start-up."""
    _declared[:] = rows


def tables() -> Sequence[TypedRows]:
    return tuple(_declared)


def present_tables() -> Sequence[TypedRows]:
    """Those whose rows may be a reason to refuse a change."""
    return tuple(table for table in _declared if not table.past)


def fields_read(
    name: str, principal: Principal, site_id: UUID, type_key: str, locale: str | None
) -> frozenset[str] | None:
    """The fields that somebody reads in all rows of a table (its `name`) of a type and locale; None is all."""
    table = next((table for table in _declared if table.name == name), None)
    if table is None:
        return frozenset()
    reads: Callable[..., frozenset[str] | None] = resolve_name(table.reads)
    return reads(principal, site_id, type_key, locale)


@dataclass(frozen=True, slots=True)
class NewRow:
    """What a row shall become; `after` None: it stays as it is. `stamp` tells whether it was written since."""

    key: str
    stamp: str
    before: str | None = None
    after: str | None = None
    body: bytes | None = None
    etag: str | None = None
    references: str | None = None


async def count(table: TypedRows, type_id: UUID) -> int:
    return int(await db.fetchval(f"SELECT count(*) FROM {table.table} r WHERE {table.belongs}", type_id))


async def count_held(type_id: UUID) -> int:
    """How many items of a type are on legal hold."""
    found = [
        await db.fetchval(
            f"""SELECT count(DISTINCT r.item_id) FROM {table.table} r
                WHERE {table.belongs} AND r.item_id IN ({held_ids()})""",
            type_id,
        )
        for table in present_tables()
    ]
    return max(map(int, found), default=0)


async def page(
    table: TypedRows,
    type_id: UUID,
    plan_id: UUID,
    undone: UUID | None,
    *,
    after: str | None,
    limit: int,
    levels: bool = False,
) -> list[Record]:
    """Rows that the plan has not seen as they are now, in the order of their ids; with what `undone` had changed. If
    the plan `levels` values, also those whose item has changed in another locale."""
    # Two statements and not one with `$6 IS NULL OR`, which no index answers. And look-ups instead of joins: the
    # planner, who does not know yet how much is waiting, would compare every row with every other.
    further = f"AND r.id > $6::text::{table.key_type}" if after is not None else ""
    state, stamp = _state_and_stamp(table) if levels else ("NULL::text", "r.xmin::text")
    return await db.fetch(
        f"""SELECT r.id::text AS key, n.stamp, n.state, r.item_id, r.locale, r.data,
                   {"r.body" if table.rendered else "NULL::bytea"} AS body, b.before, b.after
            FROM {table.table} r
            CROSS JOIN LATERAL (SELECT {state} AS state, {stamp} AS stamp{" OFFSET 0" if levels else ""}) n
            LEFT JOIN LATERAL (
                SELECT p.before, p.after FROM content_type_plan_rows p
                WHERE p.plan_id = $4 AND p.store = $3 AND p.key = r.id::text OFFSET 0) b ON true
            WHERE {table.belongs} {further} AND n.stamp IS DISTINCT FROM (
                SELECT p.stamp FROM content_type_plan_rows p
                WHERE p.plan_id = $2 AND p.store = $3 AND p.key = r.id::text)
            ORDER BY r.id LIMIT $5""",
        type_id,
        plan_id,
        table.name,
        undone,
        limit,
        *([after] if after is not None else []),
    )


def _state_and_stamp(table: TypedRows) -> tuple[str, str]:
    """SQL: the state of the row `r`, and what changes when a row of its item in this state does, comes or goes."""
    states, stamps = [], []
    for state, condition in table.states.items():
        holds = condition.format(row="r")
        states.append(f"WHEN {holds} THEN '{state}'")
        stamps.append(
            f"""WHEN {holds} THEN (SELECT '{state} ' || string_agg(m.xmin::text, ' ' ORDER BY m.id)
                FROM {table.table} m WHERE m.item_id = r.item_id AND {condition.format(row="m")})"""
        )
    return f"CASE {' '.join(states)} END", f"CASE {' '.join(stamps)} ELSE r.xmin::text END"


async def mates(
    table: TypedRows, state: str, item_ids: Sequence[UUID], keys: Sequence[str], undone: UUID | None
) -> list[Record]:
    """All rows of items in a state, with these keys of their data and of what `undone` had changed. To be asked after
    `page`: what comes between them changes the stamp."""
    few = """(SELECT coalesce(jsonb_object_agg(k.key, {0}->k.key), '{{}}')
              FROM unnest($3::text[]) k(key) WHERE {0} ? k.key)"""
    return await db.fetch(
        f"""SELECT r.item_id, r.locale, {few.format("r.data")} AS data,
                   {_TAKEN if table.rendered else "NULL::jsonb"} AS taken,
                   CASE WHEN b.before IS NOT NULL THEN {few.format("b.before")} END AS before,
                   CASE WHEN b.after IS NOT NULL THEN {few.format("b.after")} END AS after
            FROM {table.table} r
            LEFT JOIN LATERAL (
                SELECT p.before, p.after FROM content_type_plan_rows p
                WHERE p.plan_id = $4 AND p.store = $2 AND p.key = r.id::text OFFSET 0) b ON true
            WHERE r.item_id = ANY($1) AND {table.states[state].format(row="r")}""",
        item_ids,
        table.name,
        keys,
        undone,
    )


_TAKEN = "convert_from(r.body, 'UTF8')::jsonb->'fallback_fields'"


async def stage(table: TypedRows, plan_id: UUID, rows: Sequence[NewRow]) -> None:
    """Put new rows beside the old ones, where nobody reads them yet."""
    await db.execute(
        """INSERT INTO content_type_plan_rows (plan_id, store, key, stamp, before, after, body, etag, refs)
           SELECT $1, $2, n.key, n.stamp, n.before::jsonb, n.after::jsonb, n.body, n.etag, n.refs::jsonb
           FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::text[], $9::text[])
                AS n(key, stamp, before, after, body, etag, refs)
           ON CONFLICT (plan_id, store, key) DO UPDATE SET stamp = excluded.stamp, before = excluded.before,
               after = excluded.after, body = excluded.body, etag = excluded.etag, refs = excluded.refs""",
        plan_id,
        table.name,
        [row.key for row in rows],
        [row.stamp for row in rows],
        [row.before for row in rows],
        [row.after for row in rows],
        [row.body for row in rows],
        [row.etag for row in rows],
        [row.references for row in rows],
    )


async def exchange(table: TypedRows, plan_id: UUID, site_id: UUID, names: Mapping[str, str]) -> int:
    """Make the rows what the plan says; how many changed. Nobody may write them meanwhile (`keep_writers_out`). `names`
    are the old and new keys of renamed fields."""
    more = ", body = s.body, etag = s.etag" if table.rendered else ""
    more += "".join(f", {column} = renamed_keys(r.{column}, $3::jsonb)" for column in table.keyed)
    # The past of documents is rewritten as a table of its own: this is no new version of them.
    await db.execute("SELECT set_config('scaicms.rewriting', 'on', true)")
    changed = await db.execute(
        f"""UPDATE {table.table} r SET data = s.after{more} FROM content_type_plan_rows s
            WHERE s.plan_id = $1 AND s.store = $2 AND s.after IS NOT NULL AND r.id = s.key::{table.key_type}""",
        plan_id,
        table.name,
        *([json.dumps_text(dict(names))] if table.keyed else []),
    )
    if table.references is not None:
        await _exchange_references(table, plan_id, site_id)
    return changed


async def _exchange_references(table: TypedRows, plan_id: UUID, site_id: UUID) -> None:
    touched = f"""SELECT r.item_id, s.refs FROM content_type_plan_rows s
                  JOIN {table.table} r ON r.id = s.key::{table.key_type}
                  WHERE s.plan_id = $1 AND s.store = $2 AND s.refs IS NOT NULL"""
    await db.execute(
        f"DELETE FROM {table.references} USING ({touched}) t WHERE {table.references}.item_id = t.item_id",
        plan_id,
        table.name,
    )
    await db.execute(
        f"""INSERT INTO {table.references} (site_id, item_id, field, target_id, asset)
            SELECT DISTINCT $3::uuid, t.item_id, ref->>0, (ref->>1)::uuid, coalesce((ref->>2)::boolean, false)
            FROM ({touched}) t CROSS JOIN LATERAL jsonb_array_elements(t.refs) ref""",
        plan_id,
        table.name,
        site_id,
    )


async def settle(tables: Sequence[TypedRows], plan_id: UUID, keys: Sequence[str]) -> None:
    """After all are exchanged, by a plan that gave rows values of others or took them back; `keys` of public fields."""
    for statement in (statement for table in tables for statement in table.settle):
        await db.execute(statement, plan_id, keys)


async def duplicates(
    table: TypedRows,
    type_id: UUID,
    key: str,
    limit: int,
    *,
    localized: bool,
    order: Sequence[str] | None = None,
) -> list[Record]:
    """Rows whose value of a field another item has too: in the same locale if each has its own, else in any. With an
    `order` of locales only the first value of each item counts."""
    alike = f"PARTITION BY {'r.locale, ' if localized else ''}r.data->$2"
    rows = f"SELECT r.item_id, r.locale, r.data FROM {table.table} r WHERE {table.belongs} AND r.data ? $2"
    if order is not None:
        rows = f"""SELECT DISTINCT ON (f.item_id) f.* FROM ({rows}) f
                   ORDER BY f.item_id, array_position($4::text[], f.locale::text), f.locale"""
    return await db.fetch(
        f"""SELECT item_id, locale FROM (
                SELECT r.item_id, r.locale, min(r.item_id::text) OVER w <> max(r.item_id::text) OVER w AS others
                FROM ({rows}) r WINDOW w AS ({alike})) d
            WHERE others ORDER BY item_id LIMIT $3""",
        type_id,
        key,
        limit,
        *([list(order)] if order is not None else []),
    )


async def forget(plan_ids: Sequence[UUID], limit: int) -> int:
    """Remove up to `limit` waiting rows and backups of plans; how many."""
    return await db.execute(
        """DELETE FROM content_type_plan_rows WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM content_type_plan_rows WHERE plan_id = ANY($1) LIMIT $2))""",
        list(plan_ids),
        limit,
    )


async def keep_writers_out(type_id: UUID, seconds: float) -> None:
    """Wait until nobody who writes items of the type is left, and let nobody in until this transaction ends.

    Raises:
        asyncpg.LockNotAvailableError: somebody has been writing for longer than `seconds`.
    """
    await db.execute(f"SET LOCAL lock_timeout = {int(seconds * 1000)}")
    await db.execute("SELECT pg_advisory_xact_lock(content_type_lock($1))", type_id)


def decoded(row: Record) -> tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any] | None]:
    """A row's data, and that before and after the change that is being undone."""
    before, after = row["before"], row["after"]
    return json.loads(row["data"]), before and json.loads(before), after and json.loads(after)

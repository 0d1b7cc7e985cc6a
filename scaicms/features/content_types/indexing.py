"""Expression indexes for fields marked `indexed`: on what is published, built and dropped `CONCURRENTLY` by workers.

The expressions here are those that lists filter and sort by; an index answers for nothing else.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from scaicms.features.content_types import repository, stored
from scaicms.features.content_types.definitions import fields_of
from scaicms.features.content_types.events import ContentTypeIndexingFailed
from scaicms.features.content_types.fields import FieldDefinition
from scaicms.features.content_types.jobs import KEEP_INDEXES, IndexesPayload
from scaicms.infra.db.dsn import parse_dsn
from scaicms.infra.db.sessions import server_settings
from scaicms.infra.db.silence import CONNECT_SECONDS
from scaicms.infra.db.stale_sessions import BUILDING_INDEXES
from scaicms.infra.events import record
from scaicms.infra.jobs import TransientJobError, enqueue
from scaicms.infra.services import Service
from scaicms.kit.principal import SYSTEM

# One build on a table at a time: each would wait for the other's snapshot.
BUILD_LOCK = 0x5CA1_0007
MAX_KEY_CHARACTERS = 500
"""A page of an index holds a third of itself in one entry (2,704 bytes), and a character may take four."""

_FIGURES = "_figures"
_NUMBERS = frozenset({"integer", "number"})
_SHORT = frozenset({"boolean", "date", "slug", "email", "color", "relation", "asset"})
_LONG = frozenset({"string", "text", "markdown", "url", "select"})


def number_sql(key: str, data: str) -> str:
    """A number in `data`, a jsonb column. Guarded, so that data of another form is no number instead of an error."""
    # The key matches KEY_PATTERN, so it cannot end the literal.
    return f"(CASE WHEN jsonb_typeof({data}->'{key}') = 'number' THEN ({data}->'{key}')::numeric END)"


def time_sql(key: str, data: str) -> str:
    """A time in `data` as text that is in the order of time: `Z` would come after the fractions of the same second."""
    return f"rtrim({data}->>'{key}', 'Z')"


def order_sql(field: FieldDefinition, type_id: UUID, row: str = "") -> str | None:
    """What a field of a type is ordered by in a row with `data` and `type_id`; None where there is no order.

    Of texts that may be long, their beginning: who compares whole texts asks for both.
    """
    data = f"{row}data"
    if field.type in _NUMBERS:
        value = number_sql(field.key, data)
    elif field.type == "datetime":
        value = time_sql(field.key, data)
    elif field.type in _SHORT:
        value = f"({data}->>'{field.key}')"
    elif field.type in _LONG:
        value = f"left({data}->>'{field.key}', {MAX_KEY_CHARACTERS})"
    else:
        return None
    # Always true; it makes the expression that of this type alone. Types of all sites share names of fields, and what
    # the planner knows of an expression must not come from another type's values.
    own = f"(CASE WHEN {row}type_id = '{type_id}'::uuid THEN {value} END)"
    return own if field.type in _NUMBERS else f'{own} COLLATE "C"'


def index_definitions(type_id: UUID, fields: Iterable[FieldDefinition]) -> dict[str, str]:
    """Name to definition of the indexes that a type's fields call for, and of the planner's figures about them. Names
    change with what they index."""
    return {one.name: one.definition for one in _wanted(type_id, fields)}


def index_paths(type_id: UUID, fields: Iterable[FieldDefinition]) -> dict[str, str]:
    """The same names to the paths that they index: `data.price`, or `data.kind,data.price` within values of a kind."""
    return {one.name: one.path for one in _wanted(type_id, fields)}


@dataclass(frozen=True, slots=True)
class _Wanted:
    name: str
    definition: str
    path: str


def _wanted(type_id: UUID, fields: Iterable[FieldDefinition]) -> Iterator[_Wanted]:
    known = {field.key: field for field in fields}
    for table in stored.tables():
        if table.indexed is None:
            continue
        where = table.indexed.format(type_id=type_id)
        for field in known.values():
            expression = order_sql(field, type_id) if field.indexed and not field.private else None
            if expression is None:
                continue
            path, name = f"data.{field.key}", _name(type_id, table.table, expression)
            # Of a partial index the planner believes no figures; without these, a third of the type matches anything.
            yield _Wanted(f"{name}{_FIGURES}", f"ON ({expression}) FROM {table.table}", path)
            for key in (None, *(field.indexed_within or ())):
                before = order_sql(known[key], type_id) if key is not None else None
                if before is not None:
                    path, name = f"data.{key},data.{field.key}", _name(type_id, table.table, f"{before} {expression}")
                # Missing values are last in both directions, so one index cannot serve both.
                for way in ("ASC", "DESC"):
                    first = "locale" if before is None else f"locale, ({before})"
                    columns = f"{first}, ({expression}) {way} NULLS LAST, item_id {way}"
                    yield _Wanted(f"{name}_{way.lower()}", f"ON {table.table} ({columns}) WHERE {where}", path)


def _name(type_id: UUID, table: str, expressions: str) -> str:
    return _prefix(type_id) + hashlib.blake2b(f"{table} {expressions}".encode(), digest_size=5).hexdigest()


def _created(name: str, definition: str) -> str:
    kind = "STATISTICS" if name.endswith(_FIGURES) else "INDEX CONCURRENTLY"
    return f"CREATE {kind} {name} {definition}"


def _dropped(name: str) -> str:
    kind = "STATISTICS" if name.endswith(_FIGURES) else "INDEX CONCURRENTLY"
    return f'DROP {kind} IF EXISTS "{name}"'


def _prefix(type_id: UUID) -> str:
    return f"dx_{type_id.hex}_"


async def ask_for_indexes(
    site_id: UUID, type_id: UUID, before: Iterable[FieldDefinition], after: Iterable[FieldDefinition]
) -> None:
    """Let workers build and drop what a change of fields calls for. Needs an open transaction."""
    if index_definitions(type_id, before).keys() != index_definitions(type_id, after).keys():
        payload = IndexesPayload(type_id=type_id)
        await enqueue(KEEP_INDEXES.request(payload, site_id=site_id, dedupe_key=f"indexes:{type_id}"))


class IndexService(Service):
    """Keeps the indexes of types as their fields are."""

    async def keep(self, type_id: UUID) -> dict[str, Any]:
        """Build what is missing, drop what is not wanted or was left half built; idempotent. Says what was done.

        Raises:
            TransientJobError: somebody else is building; try again.
        """
        # A session of its own: CONCURRENTLY knows no transaction, takes its time, and the lock is the session's.
        connection = await asyncpg.connect(
            **parse_dsn(self.resources.settings.database_url),
            timeout=CONNECT_SECONDS,
            server_settings=server_settings(BUILDING_INDEXES, statement_seconds=0),
        )
        try:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", BUILD_LOCK):
                raise TransientJobError("another index is being built", retry_after=2)
            row = await repository.find_type(type_id)
            wanted = index_definitions(type_id, fields_of(row.definitions)) if row is not None else {}
            return await _reconcile(connection, _prefix(type_id), wanted)
        finally:
            connection.terminate()  # a farewell on a connection that leads nowhere would never be answered

    async def give_up(self, type_id: UUID, reason: str) -> None:
        """Record that the indexes of a type may be missing."""
        row = await repository.find_type(type_id)
        if row is not None:
            fact = ContentTypeIndexingFailed(site_id=row.site_id, aggregate_id=row.id, key=row.key, error=reason)
            await record(fact, actor=SYSTEM)


async def _reconcile(connection: Any, prefix: str, wanted: Mapping[str, str]) -> dict[str, Any]:
    there = {
        row["name"]: row["valid"]
        for row in await connection.fetch(
            """SELECT c.relname::text AS name, i.indisvalid AS valid
               FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname LIKE $1
               UNION ALL SELECT stxname::text, true FROM pg_statistic_ext WHERE stxname LIKE $1""",
            prefix.replace("_", r"\_") + "%",
        )
    }
    dropped = [name for name, valid in there.items() if name not in wanted or not valid]
    for name in dropped:
        await connection.execute(_dropped(name))
    built = [name for name in wanted if not there.get(name)]
    for name in built:
        await connection.execute(_created(name, wanted[name]))
    for table in {table.table for table in stored.tables() if table.indexed is not None} if built else ():
        # The planner knows nothing of a new expression before this.
        await connection.execute(f"ANALYZE {table}")
    return {"built": built, "dropped": dropped}

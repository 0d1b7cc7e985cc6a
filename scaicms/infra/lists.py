"""Pages of rows with bounds: how many rows one request reads, passes over, sorts and counts.

A list is read in an order that an index has. Conditions that no index answers are checked row by row in a window, the
first rows in that order; the response reports where the list goes on beyond it.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from asyncpg import Record
from tortoise.models import Model

from scaicms.infra import db
from scaicms.infra.resources import Resources
from scaicms.kit import json
from scaicms.kit.crypto import derive_key, seal, unseal
from scaicms.kit.cursors import InvalidCursorError, PageTooDeepError
from scaicms.kit.schemas import MAX_OFFSET, ListQuery

WINDOW = 5_000
"""How many rows are counted, or checked one by one, at most."""

RowT = TypeVar("RowT")
OtherT = TypeVar("OtherT")
ModelT = TypeVar("ModelT", bound=Model)
Place = Sequence[str]


class Key(NamedTuple):
    """A column of an order, never NULL. `type` is its PostgreSQL type."""

    sql: str
    type: str


def look_up(table: str, alias: str, condition: str) -> str:
    """A join with one row of another table, by an index: PostgreSQL would read all of the table to join thousands."""
    return f"LEFT JOIN LATERAL (SELECT {alias}.* FROM {table} {alias} WHERE {condition} LIMIT 1) {alias} ON true"


class Candidates(NamedTuple):
    """A query of `id`s that an index answers in no useful order, and its arguments."""

    sql: str
    arguments: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowList:
    """A list as SQL. `alias` is a row of `table`. `checked`, `columns` and `sorted_by` may use `joins`: LEFT JOINs that
    give each row once. What `columns` alone use is in `shown_joins`."""

    table: str
    alias: str
    columns: str
    order: Sequence[Key]
    """The columns of an index that follow those of `found`. The last key makes the order unique."""
    sort: str
    """This order as responses report it."""
    id: str = "id"
    """The column by which an index finds a single row."""
    descending: bool = False
    found: Sequence[str] = ("true",)
    arguments: Sequence[Any] = ()
    joins: str = ""
    shown_joins: str = ""
    checked: Sequence[str] = ()
    """Evaluated for each row of the window. Write `(SELECT true … LIMIT 1) IS TRUE` instead of EXISTS, for which the
    planner may read all of the other table."""
    candidates: Candidates | None = None
    """Every row of the list is one of these. If they are few, they are read instead; else `checked` decides."""
    sorted_by: Sequence[Key] = ()
    """Another order of the rows in the window. Such a list has no cursors."""
    sorted_descending: bool = False
    window: int = WINDOW
    """How many rows are checked one by one, or sorted."""
    is_public: bool = False
    """Whether callers without an account may read it: then it uses the connections of searches."""

    @property
    def is_windowed(self) -> bool:
        """Whether rows are read that are not shown: they do not fit, or other rows come first."""
        return bool(self.checked or self.sorted_by)

    def first(self, rows: int, after: str = "true") -> str:
        """A query of the first rows, and of one more where the list goes on, as `alias`."""
        where = " AND ".join([*self.found, after])
        order = _order_by([key.sql for key in self.order], descending=self.descending)
        return f"SELECT {self.alias}.* FROM {self.table} {self.alias} WHERE {where} ORDER BY {order} LIMIT {rows + 1}"

    def looked(self, rows: int, after: str = "true") -> str:
        """A query of the first rows: where they stand in it and in the list, their keys, and whether they fit."""
        keys = ", ".join(f"{key.sql} AS k{number}" for number, key in enumerate(self.order))
        order = _order_by([key.sql for key in self.order], descending=self.descending)
        rank = _order_by([key.sql for key in self.sorted_by], descending=self.sorted_descending) or order
        fits = " AND ".join(self.checked) or "true"
        return f"""SELECT {self.alias}.{self.id} AS list_id, {keys}, ({fits}) IS TRUE AS list_fits,
                          row_number() OVER (ORDER BY {order}) AS list_place,
                          row_number() OVER (ORDER BY {rank}) AS list_rank
                   FROM ({self.first(rows, after)}) {self.alias} {self.joins if self.is_windowed else ""}"""

    def total(self, rows: int, looked: str) -> str:
        """An expression: how many rows belong to the list, and 1 if that is a lower bound."""
        if not self.is_windowed:
            counted = f"SELECT FROM ({self.first(WINDOW)}) {self.alias}"
            return f"(SELECT ARRAY[least(count(*), {WINDOW}), (count(*) > {WINDOW})::int] FROM ({counted}) counted)"
        counted = f"count(*) FILTER (WHERE list_fits AND list_place <= {rows})"
        return f"(SELECT ARRAY[{counted}, (count(*) > {rows})::int] FROM {looked} counted)"

    def page(self, total: str, after: str, *, rows: int, limit: int, offset: int) -> str:
        """A statement that gives one row at least; `list_rank` is NULL if that is none of the list."""
        end = ", ".join(f"l.k{number}::text" for number in range(len(self.order)))
        key = ", ".join(f"p.k{number}::text" for number in range(len(self.order)))
        found = f"{self.alias}.{self.id} = p.list_id"
        return f"""WITH looked AS MATERIALIZED ({self.looked(rows, after)}),
                page AS MATERIALIZED (
                    SELECT * FROM looked WHERE list_fits AND list_place <= {rows}
                    ORDER BY list_rank LIMIT {limit} OFFSET {offset})
            SELECT about.*, p.list_rank, ARRAY[{key}] AS list_key, {self.columns}
            FROM (SELECT {total} AS list_total, (SELECT count(*) > {rows} FROM looked) AS list_goes_on,
                         (SELECT ARRAY[{end}] FROM looked l WHERE l.list_place = {rows}) AS list_end) about
            LEFT JOIN (page p JOIN {self.table} {self.alias} ON {found} {self.joins} {self.shown_joins}) ON true
            ORDER BY p.list_rank"""


@dataclass(frozen=True, slots=True)
class Found(Generic[RowT]):
    """A page of a list. `total` is None if it was not asked for, `window` unless the list goes on beyond it."""

    rows: Sequence[RowT]
    total: int | None
    is_lower_bound: bool = False
    next_cursor: str | None = None
    window: dict[str, Any] | None = None

    def of(self, rows: Sequence[OtherT]) -> "Found[OtherT]":
        """This page with its rows in another form."""
        return Found(rows, self.total, self.is_lower_bound, self.next_cursor, self.window)

    def each(self, change: Callable[[RowT], OtherT]) -> "Found[OtherT]":
        return self.of([change(row) for row in self.rows])

    def about(self, query: ListQuery) -> dict[str, Any]:
        """What a response has beside its items."""
        return {
            "total": self.total,
            "total_relation": "at_least" if self.is_lower_bound and self.total is not None else None,
            "page": query.page,
            "page_size": query.page_size,
            "next_cursor": self.next_cursor,
            "window": self.window,
        }


async def read_page(resources: Resources, rows: RowList, query: ListQuery, *, count: bool = True) -> Found[Record]:
    """A page of a list. Without `count` it has no total, and reads no more rows than it shows.

    Raises:
        InvalidCursorError: the cursor is not one of this list.
        PageTooDeepError: the page begins beyond `MAX_OFFSET`, and there are rows.
    """
    cursors = _Cursors(resources, rows)
    place = cursors.read(query.cursor)
    listed = await _among_candidates(rows)
    offset = query.offset if place is None else 0
    is_deep = offset >= MAX_OFFSET and not listed.is_windowed
    reach = listed.window if listed.is_windowed else query.page_size if is_deep else offset + query.page_size
    total = _total(listed, is_first=place is None) if count or is_deep else "NULL::bigint[]"
    after = _after(listed, place)
    sql = listed.page(total, after, rows=reach, limit=query.page_size + 1, offset=offset)
    found = await _fetch(resources, listed, sql, [*listed.arguments, *(place or ())])
    number, is_lower_bound = found[0]["list_total"] or (None, 0)
    if is_deep and is_lower_bound:
        raise PageTooDeepError
    fitting = [row for row in found if row["list_rank"] is not None]
    shown, goes_on = fitting[: query.page_size], bool(found[0]["list_goes_on"]) and not is_deep
    end = shown[-1]["list_key"] if len(fitting) > len(shown) else found[0]["list_end"] if goes_on else None
    window = {"items": rows.window, "sort": rows.sort} if goes_on and listed.is_windowed else None
    return Found(shown, number if count else None, bool(is_lower_bound), cursors.make(end), window)


async def read_models(resources: Resources, model: type[ModelT], rows: RowList, query: ListQuery) -> Found[ModelT]:
    """A page of a list whose column is the `id` of a model, as models."""
    found = await read_page(resources, rows, query)
    return found.of(await _models(model, found.rows))


async def first_models(model: type[ModelT], rows: RowList, number: int) -> list[ModelT]:
    """The first so many rows of a list without `checked`, as models."""
    found = await db.fetch(rows.first(number), *rows.arguments)
    return await _models(model, found[:number])


async def _models(model: type[ModelT], rows: Sequence[Record]) -> list[ModelT]:
    ids = [row["id"] for row in rows]
    found = {row.pk: row for row in await model.filter(id__in=ids)}
    return [found[row_id] for row_id in ids if row_id in found]


class _Cursors:
    """Cursors of one list. They are encrypted: where a window ends, the row may be out of the caller's reach."""

    def __init__(self, resources: Resources, rows: RowList) -> None:
        self._key = derive_key(resources.settings.secret.get_secret_value(), "list cursors")
        about = (rows.table, rows.found, rows.checked, rows.order, rows.descending, rows.sorted_by, rows.arguments)
        self._context = repr(about)
        self._has_any = not rows.sorted_by

    def make(self, place: Place | None) -> str | None:
        if place is None or not self._has_any:
            return None
        sealed = seal(self._key, json.dumps(list(place)), self._context)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def read(self, cursor: str | None) -> Place | None:
        """Where to go on; None is the beginning, which the empty cursor names, too."""
        if not cursor:
            return None
        try:
            sealed = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise InvalidCursorError from None
        opened = unseal(self._key, sealed, self._context)
        if opened is None:
            raise InvalidCursorError
        place: Place = json.loads(opened)
        return place


async def _among_candidates(rows: RowList) -> RowList:
    if rows.candidates is None:
        return rows
    sql, arguments = rows.candidates
    few = f"SELECT array_agg(id) FROM (SELECT id FROM ({sql}) c LIMIT {WINDOW + 1}) c"
    ids = (await db.fetch(few, *arguments, planned=True))[0][0] or []
    if len(ids) > WINDOW:
        return rows
    place = f"{rows.alias}.id = ANY(${len(rows.arguments) + 1})"
    return replace(rows, found=[*rows.found, place], arguments=[*rows.arguments, ids])


def _total(rows: RowList, *, is_first: bool) -> str:
    return rows.total(rows.window, "looked" if is_first else f"({rows.looked(rows.window)})")


def _after(rows: RowList, place: Place | None) -> str:
    if place is None:
        return "true"
    number = len(rows.arguments)
    values = [f"${number + n}::text::{key.type}" for n, key in enumerate(rows.order, start=1)]
    keys = ", ".join(key.sql for key in rows.order)
    return f"({keys}) {'<' if rows.descending else '>'} ({', '.join(values)})"


async def _fetch(resources: Resources, rows: RowList, sql: str, arguments: Sequence[Any]) -> list[Record]:
    # Planned for these arguments: for any, another index may look cheaper, whose rows would all be read in vain.
    if rows.is_public and rows.is_windowed:
        return await resources.searches.fetch_planned(sql, *arguments)
    return await db.fetch(sql, *arguments, planned=True)


def _order_by(columns: Sequence[str], *, descending: bool) -> str:
    return ", ".join(f"{column} {'DESC' if descending else 'ASC'}" for column in columns)

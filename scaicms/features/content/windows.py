"""Lists that no index answers: how many rows are looked at, and which.

A condition that no index answers is checked row by row, and an order that no index has is sorted. Both happen in a
window: the first rows, by an index, of those that the indexed conditions leave. Where the list goes on beyond, the
response says so, and a cursor goes on there if the window is in the order of the list.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scaicms.features.content.ordering import Order

NEWEST = "d.published_at DESC, d.item_id DESC"
BY_NEWEST = "-published_at"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is looked at: so many rows, and so many bytes of their data as it is stored."""

    rows: int
    bytes: int


FILTERED = Size(5_000, 8 * 1024 * 1024)
WORDS = {False: Size(400, 256 * 1024), True: Size(5_000, 8 * 1024 * 1024)}
"""Of lists with `q`, where the words of each row are gathered: by whether the caller has an account."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Conditions of one locale: those by which rows are found, and those that are checked row by row."""

    found: Sequence[str]
    checked: Sequence[str]


@dataclass(frozen=True, slots=True)
class Window:
    """`moves`: it is in the order of the list, so that a page after a cursor has a window of its own."""

    source: str
    branches: Sequence[Branch]
    order: Order
    size: Size
    moves: bool

    @property
    def sorted_by(self) -> str:
        """What the window is the first of, as `sort` writes it."""
        key = self.order.keys[0]
        return f"{'-' if key.descending else ''}{key.name}" if self.moves else BY_NEWEST

    def looked(self, ranges: Sequence[str] = ("true",)) -> str:
        """A query of the rows in the window with `id`, the keys of the order, `fits`, and where they stand in their
        branch: `place`, and `inside` the window. `ranges`: only what comes after a cursor."""
        return " UNION ALL ".join(self._branch(number, ranges) for number in range(len(self.branches)))

    def _branch(self, number: int, ranges: Sequence[str]) -> str:
        branch, order = self.branches[number], self.order.sql if self.moves else NEWEST
        after = ranges if self.moves else ("true",)
        parts = [
            f"""(SELECT d.*, {part} AS part FROM {self.source} d WHERE {" AND ".join([*branch.found, within])}
                 ORDER BY {order} LIMIT {self.size.rows + 1})"""
            for part, within in enumerate(after)
        ]
        later = "true" if self.moves else f"({' OR '.join(ranges)})"
        checked = " AND ".join(branch.checked) or "true"
        return f"""
            (SELECT d.id, {self.order.columns}, {number} AS branch, d.place, d.inside,
                    CASE WHEN d.inside THEN ({checked}) END IS TRUE AS fits, ({later}) IS TRUE AS later
             FROM (SELECT d.*, d.place <= {self.size.rows} AND d.bytes <= {self.size.bytes} AS inside
                   FROM (SELECT d.*, row_number() OVER looked AS place,
                                sum(pg_column_size(d.data)) OVER looked AS bytes
                         FROM ({" UNION ALL ".join(parts)}) d
                         WINDOW looked AS (ORDER BY d.part, {order} ROWS UNBOUNDED PRECEDING)
                         ORDER BY d.part, {order} LIMIT {self.size.rows + 1}) d) d)"""

    @property
    def count(self) -> str:
        """An expression: how many rows of the first window fit, and whether the list goes on beyond it."""
        return f"(SELECT {COUNTED} FROM ({self.looked()}) looked)"

    def page(self, before: str, columns: str, *, limit: int, offset: int, total: str) -> str:
        """A page by its number. One row at least, with `is_cut` and `looked_at`; `total` are columns, `before` what
        these need."""
        return f"""{_with(before)} looked AS MATERIALIZED ({self.looked()})
            SELECT {columns}, about.*{total}
            FROM ({_ABOUT}) about
            LEFT JOIN (SELECT * FROM looked WHERE fits ORDER BY {self.order.by_columns} LIMIT {limit} OFFSET {offset}) l
                 ON true LEFT JOIN {self.source} d ON d.id = l.id
            ORDER BY {self.order.by_columns}"""

    def after(self, before: str, columns: str, ranges: Sequence[str], *, limit: int, total: str) -> str:
        """The window that begins after a cursor, with the cursors of its rows. The last row is the end of the window,
        `is_end`, where the list goes on beyond it."""
        return f"""{_with(before)} looked AS MATERIALIZED ({self.looked(ranges)}),
            ranked AS MATERIALIZED (
                SELECT looked.*, row_number() OVER (ORDER BY {self.order.by_columns}) AS rank FROM looked),
            ends AS MATERIALIZED (
                SELECT min(e.rank) AS rank
                FROM (SELECT max(rank) FILTER (WHERE inside) AS rank FROM ranked
                      GROUP BY branch HAVING bool_or(NOT inside)) e WHERE {self.moves}),
            page AS (
                SELECT r.*, false AS is_end FROM ranked r CROSS JOIN ends
                WHERE r.fits AND r.later AND (ends.rank IS NULL OR r.rank <= ends.rank) ORDER BY r.rank LIMIT {limit})
            SELECT {columns}, {self.order.texts}, l.is_end, about.*{total}
            FROM ({_ABOUT}) about LEFT JOIN (
                SELECT * FROM page UNION ALL SELECT r.*, true FROM ranked r JOIN ends ON r.rank = ends.rank) l ON true
            LEFT JOIN {self.source} d ON d.id = l.id AND NOT l.is_end
            ORDER BY l.is_end, l.rank"""


COUNTED = "ARRAY[count(*) FILTER (WHERE fits), (bool_or(NOT inside) IS TRUE)::int]::bigint[]"
_ABOUT = "SELECT bool_or(NOT inside) IS TRUE AS is_cut, count(*) FILTER (WHERE inside) AS looked_at FROM looked"


def _with(before: str) -> str:
    return f"{before.rstrip()}," if before else "WITH"

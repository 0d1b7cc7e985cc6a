"""The order of a list, and how to go on in it after a certain row.

A page after a cursor is a few ranges one after the other, each of which an index has in the order of the list: what
is equal in all keys but the last ones, what comes after in the first of these, what has no value there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scaicms.features.content.paths import MANY, Bound, resolve
from scaicms.features.content.query_tree import FilterError
from scaicms.features.content.targets import Target

MAX_KEYS = 5
_CASTS = {"number": "numeric", "moment": "timestamptz", "id": "uuid"}


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that a list is ordered by. `nullable`: it may be missing, which comes last either way."""

    name: str
    sql: str
    cast: str
    descending: bool
    nullable: bool

    @property
    def direction(self) -> str:
        # What every document has needs no place for missing values; with one, no index would be in this order.
        return ("DESC" if self.descending else "ASC") + (" NULLS LAST" if self.nullable else "")


@dataclass(frozen=True, slots=True)
class Order:
    """The keys, the last of which is the item's id: it breaks ties, so that pages never overlap."""

    keys: tuple[Key, ...]

    @property
    def sql(self) -> str:
        """`ORDER BY` without the words."""
        return ", ".join(f"{key.sql} {key.direction}" for key in self.keys)

    @property
    def columns(self) -> str:
        """The keys as columns `k0`, `k1`, …"""
        return ", ".join(f"{key.sql} AS k{number}" for number, key in enumerate(self.keys))

    @property
    def by_columns(self) -> str:
        """The order of rows with these columns."""
        return ", ".join(f"k{number} {key.direction}" for number, key in enumerate(self.keys))

    @property
    def texts(self) -> str:
        """These columns as texts `t0`, `t1`, … of which a place is made."""
        return ", ".join(f"k{number}::text AS t{number}" for number in range(len(self.keys)))

    @property
    def signature(self) -> list[str]:
        """What a place in one list shares with places in others of the same order."""
        return [f"{key.name} {key.cast} {key.direction}" for key in self.keys]

    def after(self, place: Sequence[str | None], bound: Bound) -> list[str]:
        """Conditions of the ranges that come after a place, in their order."""
        values = [
            None if value is None else f"{bound.bind(value)}::text::{key.cast}"
            for key, value in zip(self.keys, place, strict=True)
        ]
        ranges = []
        for number in range(len(self.keys) - 1, -1, -1):
            same = [
                f"{key.sql} IS NULL" if value is None else f"{key.sql} = {value}"
                for key, value in zip(self.keys[:number], values[:number], strict=True)
            ]
            key, value = self.keys[number], values[number]
            if value is None:
                continue
            ranges.append(" AND ".join([*same, f"{key.sql} {'<' if key.descending else '>'} {value}"]))
            if key.nullable:
                ranges.append(" AND ".join([*same, f"{key.sql} IS NULL"]))
        return ranges


def compile_sort(sort: str, root: Target, *, drafts: bool) -> Order:
    """The order that `-published_at,data.title` asks for.

    Raises:
        FilterError: there is no such path, or no order in it.
        FieldForbiddenError: a path is out of the caller's reach.
    """
    names = sort.split(",")
    if len(names) > MAX_KEYS:
        raise FilterError(f"sort: at most {MAX_KEYS} paths.")
    keys = []
    for name in names:
        path = resolve(name.removeprefix("-"), root.content_type, root.visible)
        if path.kind in (*MANY, "json"):
            raise FilterError(f"{path.name} has no order to sort by.")
        nullable = path.key is not None or drafts
        keys.append(
            Key(path.name, path.order or path.sql, _CASTS.get(path.kind, "text"), name.startswith("-"), nullable)
        )
    return Order((*keys, Key("id", "d.item_id", "uuid", sort.startswith("-"), False)))

"""Lists over several locales: each item once, as the first locale of a chain has it that the caller may read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from scaicms.features.content.paths import Bound
from scaicms.kit.principal import Reach, Scope

_OWN = "EXISTS (SELECT 1 FROM items own WHERE own.id = {row}.item_id AND own.created_by = {owner})"


@dataclass(frozen=True, slots=True)
class Chain:
    """The locales of a list that are within the caller's reach, in order; in those of `owned`, what is their own."""

    locales: Sequence[str]
    owned: frozenset[str] = frozenset()
    owner_id: UUID | None = None
    fields: frozenset[str] | None = None
    """What is within reach in every row of the list; None is all."""

    @classmethod
    def of(cls, scope: Scope | None, type_key: str, locales: Sequence[str]) -> "Chain":
        if scope is None:
            return cls(locales)
        reaches: Mapping[str, Reach] = {
            locale: reach for locale in locales if (reach := scope.at(type_key, locale)) is not None
        }
        bounds = [reach.all_rows for reach in reaches.values() if reach.all_rows is not None]
        if not reaches:
            # There are no rows; what is told of the type's fields is what is read of them elsewhere.
            elsewhere = scope.at(type_key, None)
            fields = frozenset[str]() if elsewhere is None else elsewhere.own_fields
            bounds = [] if fields is None else [fields]
        return cls(
            tuple(reaches),
            frozenset(locale for locale, reach in reaches.items() if not reach.others),
            scope.owner_id,
            frozenset.intersection(*bounds) if bounds else None,
        )

    def readable(self, row: str, bound: Bound) -> list[str]:
        """SQL on a document, whatever it is: that the caller may read anything of it."""
        found = [f"{row}.locale = ANY({bound.bind(list(self.locales))}::text[])"]
        if self.owned:
            own = _OWN.format(row=row, owner=bound.bind(self.owner_id))
            found.append(f"(NOT {row}.locale = ANY({bound.bind(list(self.owned))}::text[]) OR {own})")
        return found

    def branches(self, bound: Bound, source: str) -> list[list[str]]:
        """For each locale SQL conditions on the row `d` of a list: it is in this locale, and the item is read in it, of
        those that `source` has."""
        own = _OWN.format(row="d", owner=bound.bind(self.owner_id)) if self.owned else "false"
        found, better = [], list[str]()
        for locale in self.locales:
            conditions = [f"d.locale = {bound.bind(locale)}", *([own] if locale in self.owned else [])]
            open_ones = [one for one in better if one not in self.owned]
            owned = [one for one in better if one in self.owned]
            if open_ones:
                conditions.append(_lacks(open_ones, bound, source))
            if owned:
                conditions.append(f"(NOT {own} OR {_lacks(owned, bound, source)})")
            found.append(conditions)
            better.append(locale)
        return found


def _lacks(locales: Sequence[str], bound: Bound, source: str) -> str:
    return f"""NOT EXISTS (SELECT 1 FROM {source} b
                           WHERE b.item_id = d.item_id AND b.locale = ANY({bound.bind(list(locales))}::text[]))"""


def page_sql(source: str, wheres: Sequence[str], columns: str, order: str, *, limit: int, offset: int) -> str:
    """A page of the rows of `source` for which one of the conditions holds, each of which excludes the others.

    With several, the first rows of each are merged: an index is in the order of one locale, never of many.
    """
    if len(wheres) == 1:
        return f"SELECT {columns} FROM {source} d WHERE {wheres[0]} ORDER BY {order} LIMIT {limit} OFFSET {offset}"
    firsts = [f"(SELECT d.* FROM {source} d WHERE {where} ORDER BY {order} LIMIT {offset + limit})" for where in wheres]
    merged = " UNION ALL ".join(firsts)
    return f"SELECT {columns} FROM ({merged}) d ORDER BY {order} LIMIT {limit} OFFSET {offset}"


MAX_COUNTED = 5_000


def count_sql(source: str, wheres: Sequence[str]) -> str:
    """How many rows there are of these, as far as they are counted, and whether there are more."""
    rows = " UNION ALL ".join(f"(SELECT FROM {source} d WHERE {where} LIMIT {MAX_COUNTED + 1})" for where in wheres)
    return f"""(SELECT ARRAY[least(count(*), {MAX_COUNTED}), (count(*) > {MAX_COUNTED})::int]::bigint[]
                FROM (SELECT FROM ({rows}) r LIMIT {MAX_COUNTED + 1}) r)"""

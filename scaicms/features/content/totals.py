"""How many items a list has, counted no more often than what is published changes, and up to a bound.

The database keeps a ledger of changes (`document_counts`): its sum is the total of a list without filters. With filters
it tells whether anything has changed since a total was counted: the same statement reads the ledger's state and the
page, and counts only where the state is not the known one.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from asyncpg import Record

from scaicms.features.content.listing import Listing
from scaicms.features.content.paths import Bound
from scaicms.kit import json

MAX_KNOWN = 5_000
TERMS = UUID(int=0)
"""Stands for the terms of all documents of a site in the ledger."""

_SUM = "SELECT ARRAY[coalesce(sum(c.number), 0), 0]::bigint[] FROM document_counts c WHERE {where}"
# Every change adds a row with a new id; putting rows together does, too.
_STATE = "SELECT concat_ws(':', max(c.id), count(*), sum(c.id)) AS state FROM document_counts c WHERE {where}"


@dataclass(frozen=True, slots=True)
class Total:
    """How a statement says the total of its list: what stands before it, and columns of its rows."""

    before: str
    columns: str
    key: bytes | None = None
    known: "Counted | None" = None
    """Of the state that the statement compares with."""


class Counted(NamedTuple):
    """How many there are; with `is_lower_bound`, at least."""

    number: int
    is_lower_bound: bool


class Totals:
    """The totals that this process has counted, each with the state of the ledger at that moment."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[str, Counted]] = OrderedDict()

    def ask(self, listing: Listing, bound: Bound, *, by_number: bool) -> Total:
        """What a statement about the list needs to say its total; `by_number`: it is that of a page by its number."""
        count = listing.count_of_page if by_number else listing.count
        if not listing.is_changing:
            return Total("", f", ({count}) AS total")
        if listing.is_whole:
            return Total("", f", ({_SUM.format(where=_about(listing, bound))}) AS total")
        key = hashlib.blake2b(json.dumps([listing.count, repr(listing.arguments)]), digest_size=16).digest()
        state, known = self._known.get(key, ("", None))
        columns = f""", (SELECT state FROM ledger) AS state,
            CASE WHEN (SELECT state FROM ledger) <> {bound.bind(state)} THEN ({count}) END AS total"""
        return Total(
            f"WITH ledger AS MATERIALIZED ({_STATE.format(where=_about(listing, bound))}) ", columns, key, known
        )

    def read(self, asked: Total, row: Record) -> Counted:
        """The total that a row of the statement tells."""
        if row["total"] is None:
            return asked.known or Counted(0, False)
        total = counted(row["total"])
        if asked.key is not None:
            self._known[asked.key] = (row["state"], total)
            self._known.move_to_end(asked.key)
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        return total


def counted(value: Sequence[int]) -> Counted:
    """A total as the expressions of lists give it."""
    return Counted(value[0], bool(value[1]))


def _about(listing: Listing, bound: Bound) -> str:
    types = {listing.filters.root.content_type.id, *listing.filters.types}
    if listing.filters.by_terms:
        types.add(TERMS)
    named = ", ".join(f"'{type_id}'" for type_id in sorted(types))
    locales = bound.bind([*listing.chain.locales, ""])
    return f"c.site_id = $1 AND c.type_id IN ({named}) AND c.locale = ANY({locales}::text[])"

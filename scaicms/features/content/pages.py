"""A page of a compiled list: its rows, its total, where it goes on, and what was left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asyncpg import Record

from scaicms.features.content import explaining
from scaicms.features.content.including import Included, beside
from scaicms.features.content.listing import Listing, cursor_of, read_place
from scaicms.features.content.paths import Bound
from scaicms.features.content.schemas import ListItems
from scaicms.features.content.totals import Counted, Totals, counted
from scaicms.infra import db
from scaicms.infra.resources import Resources
from scaicms.kit import json
from scaicms.kit.cursors import PageTooDeepError
from scaicms.kit.schemas import MAX_OFFSET, TotalRelation, relation_of


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a list, how many there are in all, and where to go on. `window`: where it was looked for, if that is not
    all of it."""

    rows: Sequence[Record]
    total: int | None
    relation: TotalRelation | None
    next_cursor: str | None = None
    explained: dict[str, Any] | None = None
    window: dict[str, Any] | None = None

    def around(self, bodies: Sequence[bytes], query: ListItems, included: Included | None = None) -> bytes:
        """The answer with these items, and what is included beside them."""
        by_cursor = query.cursor is not None
        rest: dict[str, Any] = {
            "total": self.total,
            "total_relation": self.relation,
            "page": None if by_cursor else query.page,
            "page_size": query.page_size,
        }
        if by_cursor:
            rest["next_cursor"] = self.next_cursor
        if self.window is not None:
            rest["window"] = self.window
        if self.explained is not None:
            rest["explain"] = self.explained
        answer = b'{"items":[%s],%s' % (b",".join(bodies), json.dumps(rest)[1:])
        return answer if included is None else beside(answer, included)


def nothing(query: ListItems) -> Page:
    """Of a list that is empty whatever there is."""
    return Page((), None, None) if query.count == "none" else Page((), 0, "exact")


class Pages:
    """Reads pages. Lists in a window use the connections for searches."""

    def __init__(self, resources: Resources) -> None:
        self._searches = resources.searches
        self._secret = resources.settings.secret.get_secret_value()
        self._totals = Totals()

    async def read(self, reads: db.ReadPool, listing: Listing, query: ListItems, *, estimates: bool) -> Page:
        """A page of the list. Without `estimates` totals are counted, and no guess is told.

        Raises:
            BadRequestError: the cursor is not one of this list.
            PageTooDeepError: the page begins beyond `MAX_OFFSET`, and there are items.
        """
        exact = query.count == "exact" or (query.count == "estimate" and not estimates)
        if query.cursor is None and query.offset >= MAX_OFFSET and listing.window is None:
            return await self._beyond(reads, listing, query, exact=exact)
        bound = Bound(0, list(listing.arguments))
        by_number = query.cursor is None
        total = self._totals.ask(listing, bound, by_number=by_number) if exact else None
        before, columns = (total.before, total.columns) if total is not None else ("", "")
        place = read_place(self._secret, listing, query.cursor) if query.cursor is not None else None
        if by_number:
            sql = listing.page(query.page_size, query.offset, before, columns)
        else:
            sql = listing.after(place, query.page_size + 1, bound, before, columns)
        rows = await self._fetch(reads, listing, sql, bound.arguments, planned=place is not None)
        if total is not None and rows:
            number: Counted | None = self._totals.read(total, rows[0])
        elif exact:
            number = Counted(0, False) if place is None and not query.offset else await self._count(reads, listing)
        else:
            number = None
        explained = None
        if query.explain:
            explained = await explaining.explain(reads, listing, sql, bound.arguments, estimates=estimates)
        shown, cursor = self._shown(listing, rows, query)
        relation: TotalRelation | None = relation_of(is_lower_bound=number.is_lower_bound) if number else None
        if number is None and query.count == "estimate":
            number, relation = Counted(await explaining.estimate(reads, listing), False), "estimate"
        return Page(shown, number.number if number else None, relation, cursor, explained, _window(listing, rows))

    async def _fetch(
        self, reads: db.ReadPool, listing: Listing, sql: str, arguments: Sequence[Any], *, planned: bool
    ) -> list[Record]:
        if listing.window is not None:
            return await self._searches.fetch_planned(sql, *arguments)
        if listing.filtered or planned:
            return await db.fetch_planned(reads, sql, *arguments)
        return await reads.fetch(sql, *arguments)

    async def _count(self, reads: db.ReadPool, listing: Listing) -> Counted:
        return counted(
            (await self._fetch(reads, listing, f"SELECT {listing.count}", listing.arguments, planned=False))[0][0]
        )

    async def _beyond(self, reads: db.ReadPool, listing: Listing, query: ListItems, *, exact: bool) -> Page:
        """A page so far down that it is not read: empty if the list ends before it."""
        bound = Bound(0, list(listing.arguments))
        total = self._totals.ask(listing, bound, by_number=True)
        sql = listing.page(1, MAX_OFFSET, total.before, total.columns)
        rows = await self._fetch(reads, listing, sql, bound.arguments, planned=False)
        number = self._totals.read(total, rows[0]) if rows else await self._count(reads, listing)
        if number.is_lower_bound or number.number > query.offset:
            raise PageTooDeepError
        return Page((), number.number if exact else None, "exact" if exact else None)

    def _shown(self, listing: Listing, rows: Sequence[Record], query: ListItems) -> tuple[list[Record], str | None]:
        """The rows of the page, and the cursor that goes on after them."""
        found = [row for row in rows if row["item_id"] is not None]
        shown = found[: query.page_size]
        if query.cursor is None:
            return shown, None
        if len(found) > len(shown):
            return shown, cursor_of(self._secret, listing, shown[-1])
        if listing.window is not None and rows[-1]["is_end"]:
            return shown, cursor_of(self._secret, listing, rows[-1])
        return shown, None


def _window(listing: Listing, rows: Sequence[Record]) -> dict[str, Any] | None:
    if listing.window is None or not rows[0]["is_cut"]:
        return None
    return {"items": rows[0]["looked_at"], "sort": listing.window.sorted_by}

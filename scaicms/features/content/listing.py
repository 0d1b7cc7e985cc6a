"""One list as SQL: which rows, in which order, from where on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.content import past, repository, searching, workflow
from scaicms.features.content.chains import Chain, count_sql, page_sql
from scaicms.features.content.filters import Filters
from scaicms.features.content.index_rules import Indexes, index_of, index_of_sort
from scaicms.features.content.ordering import Order
from scaicms.features.content.paths import Bound
from scaicms.features.content.query_tree import Group
from scaicms.features.content.schemas import ListItems
from scaicms.features.content.windows import COUNTED, FILTERED, WORDS, Branch, Size, Window
from scaicms.kit import json
from scaicms.kit.cursors import make_cursor, read_cursor
from scaicms.kit.errors import BadRequestError

DRAFTS = f"""(
    SELECT i.id AS item_id, i.id, i.site_id, i.type_id, i.stage, i.slug, i.created_at, i.created_by, i.archived_at,
           e.locale, e.data, e.version, e.published_version, e.updated_at, e.updated_by, p.published_at,
           {repository.PUBLISH_AT} AS publish_at, {repository.UNPUBLISH_AT} AS unpublish_at,
           ARRAY(SELECT l.locale FROM entries l WHERE l.item_id = i.id ORDER BY l.locale) AS locales
    FROM items i JOIN entries e ON e.item_id = i.id LEFT JOIN documents p ON p.item_id = i.id AND p.locale = e.locale
    WHERE i.deleted_at IS NULL)"""

# Items in the archive are in no other list.
_WITH_STATUS: dict[str, tuple[str, ...]] = {
    "published": (),
    "any": ("d.archived_at IS NULL",),
    "draft": ("d.archived_at IS NULL", "d.published_version IS DISTINCT FROM d.version"),
    "archived": ("d.archived_at IS NOT NULL",),
}

Place = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list, compiled: `base` is what holds for all of the type that the caller reads, and one of `branches`, each for
    a locale; `filtered` what they ask for. `name` tells it from other lists, for its cursors."""

    filters: Filters
    chain: Chain
    source: str
    base: Sequence[str]
    branches: Sequence[Sequence[str]]
    filtered: Sequence[str]
    order: Order
    arguments: Sequence[Any]
    name: str
    window: Window | None = None
    """None: indexes answer all of it."""

    @property
    def wheres(self) -> list[str]:
        """Conditions of the rows `d` of `source`, for each locale; they exclude each other."""
        return [" AND ".join([*self.base, *branch, *self.filtered]) for branch in self.branches]

    def matching(self, filtered: Sequence[str]) -> str:
        """`FROM` and `WHERE` of what fulfils these conditions."""
        in_locale = " OR ".join(f"({' AND '.join(branch)})" for branch in self.branches)
        return f"FROM {self.source} d WHERE {' AND '.join([*self.base, f'({in_locale})', *filtered])}"

    @property
    def count(self) -> str:
        """An expression: how many there are, and whether that is a lower bound."""
        return self.window.count if self.window is not None else count_sql(self.source, self.wheres)

    @property
    def count_of_page(self) -> str:
        """The total, as a column of the statement that reads a page by its number."""
        return f"(SELECT {COUNTED} FROM looked)" if self.window is not None else self.count

    @property
    def is_changing(self) -> bool:
        """Whether it is about what is published now, of which the ledger tells."""
        return self.source == "documents"

    @property
    def is_whole(self) -> bool:
        """Whether it is all that is published of a type in a locale."""
        return self.is_changing and not (self.filtered or self.chain.owned or len(self.chain.locales) > 1)

    def page(self, limit: int, offset: int, before: str, total: str) -> str:
        """A page by its number; `total` are columns, `before` what these need."""
        if self.window is not None:
            return self.window.page(before, self._columns, limit=limit, offset=offset, total=total)
        columns, order = self._columns + total, self.order.sql
        return before + page_sql(self.source, self.wheres, columns, order, limit=limit, offset=offset)

    def after(self, place: Place | None, limit: int, bound: Bound, before: str, total: str) -> str:
        """What comes after a place (None: the beginning), with the places of its rows."""
        ranges = ["true"] if place is None else self.order.after(place, bound)
        if self.window is not None:
            return self.window.after(before, self._columns, ranges, limit=limit, total=total)
        parts = [
            f"""(SELECT {number} AS part, {self._columns}, {self.order.columns} FROM {self.source} d
                 WHERE {where} AND {within} ORDER BY {self.order.sql} LIMIT {limit})"""
            for number, within in enumerate(ranges)
            for where in self.wheres
        ]
        return f"""{before}SELECT u.*, {self.order.texts}{total} FROM ({" UNION ALL ".join(parts)}) u
                   ORDER BY part, {self.order.by_columns} LIMIT {limit}"""

    @property
    def _columns(self) -> str:
        return "d.*" if self.filters.drafts else "d.item_id, d.locale, d.body"

    def place_of(self, row: Record) -> list[str | None]:
        """Where a row of `after` stands."""
        return [row[f"t{number}"] for number in range(len(self.order.keys))]


async def compile_listing(
    filters: Filters, tree: Group, order: Order, query: ListItems, *, site_id: UUID, has_account: bool
) -> Listing:
    """The list that a query asks for, in the locales of `filters.root`.

    Raises:
        FilterError: the filters do not fit the type.
        FieldForbiddenError: they are about what is out of the caller's reach.
    """
    content_type, chain, bound = filters.root.content_type, filters.root.chain, filters.bound
    if chain is None:
        raise ValueError("a list is read in some locales")
    source = DRAFTS if filters.drafts else past.documents(query.as_of)
    # The type in words: indexes of its fields are partial, and a plan for any argument could not use them.
    base = ["d.site_id = $1", f"d.type_id = '{content_type.id}'"]
    base += _WITH_STATUS[query.status]
    if query.stage is not None:
        base.append(workflow.in_stage(content_type, query.stage, bound, drafts=filters.drafts))
    found, checked = await _conditions(filters, tree)
    if query.q is not None:
        checked.append(searching.condition(filters, query.q))
    branches = chain.branches(bound, "entries" if filters.drafts else source)
    asked = [query.status, query.stage, query.q, repr(tree)]
    about = [str(content_type.id), chain.locales, asked, source, order.signature]
    name = f"content:{hashlib.sha256(json.dumps(about)).hexdigest()}"
    listing = Listing(
        filters, chain, source, base, branches, [*found, *checked], order, [site_id, *bound.arguments], name
    )
    size = WORDS[has_account] if query.q is not None else FILTERED
    return replace(listing, window=_window(listing, found, checked, size))


async def _conditions(filters: Filters, tree: Group) -> tuple[list[str], list[str]]:
    """What indexes answer, and what must be checked row by row."""
    indexes, found, checked = Indexes.of_type(filters.root.content_type), list[str](), list[str]()
    for member in tree.members:
        known = len(filters.used)
        sql = await filters.condition(member)
        answered = all(index_of(used, indexes, drafts=False)[0] is not None for used in filters.used[known:])
        (found if answered else checked).append(sql)
    return found, checked


def _window(listing: Listing, found: Sequence[str], checked: Sequence[str], size: Size) -> Window | None:
    """In which rows the list is looked for. Those who read their own items alone have few of them: they need none, and
    must not learn how many others there are."""
    indexes = Indexes.of_type(listing.filters.root.content_type)
    is_sorted = index_of_sort(listing.order.keys[0], indexes, drafts=False)[0] is not None
    several = len(listing.branches) > 1
    if not listing.is_changing or listing.chain.owned or (is_sorted and not checked and not several):
        return None
    branches = [Branch([*listing.base, branch[0], *found], [*branch[1:], *checked]) for branch in listing.branches]
    return Window(listing.source, branches, listing.order, size, is_sorted)


def cursor_of(secret: str, listing: Listing, row: Record) -> str:
    """The cursor that goes on after a row."""
    return make_cursor(secret, listing.name, json.dumps_text(listing.place_of(row)))


def read_place(secret: str, listing: Listing, cursor: str) -> Place | None:
    """The place that a cursor of this very list names; None: the beginning, which the empty one asks for.

    Raises:
        BadRequestError: it is a cursor of another list, or none of ours.
    """
    if not cursor:
        return None
    place = read_cursor(secret, listing.name, cursor)
    if place is None:
        message = "This is no cursor of this list; start anew with cursor= and keep type, filters and sort as they are."
        raise BadRequestError(message, code="invalid_cursor")
    known: Place = json.loads(place)
    return known

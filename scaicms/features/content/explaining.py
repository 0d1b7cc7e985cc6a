"""`explain=1`: by which index each condition of a list can be found, and what PostgreSQL makes of the whole."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from scaicms.features.content.index_rules import Indexes, index_of, index_of_sort
from scaicms.features.content.listing import Listing
from scaicms.features.content_types.service import index_paths
from scaicms.infra import db
from scaicms.kit import json

_VALID = """SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE i.indisvalid AND c.relname = ANY($1::text[])"""
_NAMED = {
    "documents_data": "data",
    "entries_data": "data",
    "documents_newest": "published_at",
    "document_terms_terms": "terms",
    "item_terms_terms": "terms",
}
_IN_THE_PAST: tuple[str | None, str | None] = (None, "The past has no index of its fields.")


async def explain(
    reads: db.ReadPool, listing: Listing, sql: str, arguments: Sequence[Any], *, estimates: bool
) -> dict[str, Any]:
    """About a list whose page `sql` asks for.

    Without `estimates` only what follows from the query and the type: PostgreSQL's figures and plan depend on rows that
    the caller may not read.
    """
    indexes = await _indexes(reads, listing)
    is_past = not (listing.filters.drafts or listing.is_changing)
    filters = []
    for used in listing.filters.used:
        index, reason = _IN_THE_PAST
        if not is_past:
            index, reason = index_of(used, indexes, drafts=listing.filters.drafts)
        alone = f"SELECT 1 {listing.matching([used.sql])}"
        estimated = (await _plan(reads, *_renumbered(alone, listing.arguments)))["Plan Rows"] if estimates else None
        about = {"path": used.clause.path, "operator": used.clause.operator, "index": index, "reason": reason}
        filters.append({**about, "estimated_rows": estimated})
    sort_index, sort_reason = _IN_THE_PAST
    if not is_past:
        sort_index, sort_reason = index_of_sort(listing.order.keys[0], indexes, drafts=listing.filters.drafts)
    return {
        "filters": filters,
        "sort": {
            "paths": [("-" if key.descending else "") + key.name for key in listing.order.keys],
            "index": sort_index,
            "reason": sort_reason,
        },
        "indexes": await _planned_indexes(reads, indexes, sql, arguments) if estimates else None,
        "estimated_rows": await estimate(reads, listing) if estimates else None,
    }


async def _planned_indexes(reads: db.ReadPool, indexes: Indexes, sql: str, arguments: Sequence[Any]) -> list[str]:
    names = _index_names(await _plan(reads, sql, arguments))
    return sorted({indexes.paths.get(name) or _NAMED.get(name) or "id" for name in names})


async def estimate(reads: db.ReadPool, listing: Listing) -> int:
    """How many rows PostgreSQL takes a list to have."""
    whole = f"SELECT 1 {listing.matching(listing.filtered)}"
    return int((await _plan(reads, *_renumbered(whole, listing.arguments)))["Plan Rows"])


async def _indexes(reads: db.ReadPool, listing: Listing) -> Indexes:
    content_type = listing.filters.root.content_type
    names = index_paths(content_type.id, content_type.fields.values())
    built = {row[0] for row in await reads.fetch(_VALID, list(names))}
    return Indexes({name: path for name, path in names.items() if name in built}, frozenset(names.values()))


async def _plan(reads: db.ReadPool, sql: str, arguments: Sequence[Any]) -> Any:
    return json.loads(await reads.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments))[0]["Plan"]


def _renumbered(sql: str, arguments: Sequence[Any]) -> tuple[str, list[Any]]:
    """A part of a statement with its own arguments alone: PostgreSQL knows no type of others."""
    numbers = sorted({int(number) for number in re.findall(r"\$(\d+)", sql)})
    places = {number: place for place, number in enumerate(numbers, 1)}
    renumbered = re.sub(r"\$(\d+)", lambda found: f"${places[int(found[1])]}", sql)
    return renumbered, [arguments[number - 1] for number in numbers]


def _index_names(plan: Mapping[str, Any]) -> set[str]:
    found = {str(plan["Index Name"])} if "Index Name" in plan else set()
    return found.union(*(_index_names(inner) for inner in plan.get("Plans", ())))

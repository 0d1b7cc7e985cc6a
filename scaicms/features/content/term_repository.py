"""Which items have a term, as far as a caller may know."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from scaicms.features.content.paths import Bound
from scaicms.infra.lists import Candidates, Key, RowList
from scaicms.kit.principal import UNBOUND, Narrowing, Scope

Links = Literal["item_terms", "document_terms"]
_IN_LOCALES = {
    "item_terms": "EXISTS (SELECT 1 FROM entries e WHERE e.item_id = i.id AND e.locale = ANY({locales}))",
    "document_terms": "l.locale = ANY({locales})",
}


@dataclass(frozen=True, slots=True)
class Having:
    """A term, and where what has it is looked for: among drafts or documents, each as far as a scope reaches."""

    site_id: UUID
    term_id: UUID
    reaches: Sequence[tuple[Links, Scope | None]]


def items(having: Having, *, under: bool) -> RowList:
    """Items with the term, or (`under`) with it or one below it; the newest first."""
    bound = Bound(2)
    has = f"l.{'under' if under else 'terms'} @> ARRAY[{{term}}::uuid]"
    ways, linked = [], []
    for links, scope in having.reaches:
        linked.append(f"SELECT l.item_id AS id FROM {links} l WHERE {has.format(term='$1')}")
        for narrowing in scope.bounds if scope is not None else (UNBOUND,):
            within = " AND ".join(["l.item_id = i.id", *_within(links, narrowing, scope, bound)])
            ways.append(f"SELECT true AS has FROM {links} l WHERE {has.format(term='$2')} AND {within}")
    # One look into an index for each item in the window: as a condition, it would be a join with all that has the term.
    found = " UNION ALL ".join(ways) or "SELECT $2::uuid IS NULL AS has"
    joins = f"""LEFT JOIN content_types t ON t.id = i.type_id
                LEFT JOIN LATERAL ({found} LIMIT 1) h ON true"""
    return RowList(
        table="items", alias="i", joins=joins,
        columns="""i.id, i.slug, t.key AS type,
                   EXISTS (SELECT 1 FROM documents d WHERE d.item_id = i.id) AS published""",
        found=["i.site_id = $1", "i.deleted_at IS NULL"], checked=["h.has"],
        candidates=Candidates(" UNION ALL ".join(linked), [having.term_id]) if linked else None,
        arguments=[having.site_id, having.term_id, *bound.arguments], order=[Key("i.id", "uuid")], descending=True,
        sort="-id", is_public=True,
    )  # fmt: skip


def _within(links: Links, narrowing: Narrowing, scope: Scope | None, bound: Bound) -> list[str]:
    conditions = []
    if narrowing.content_types is not None:
        conditions.append(f"t.key = ANY({bound.bind(list(narrowing.content_types))})")
    if narrowing.locales is not None:
        conditions.append(_IN_LOCALES[links].format(locales=bound.bind(list(narrowing.locales))))
    if narrowing.own_only:
        conditions.append(f"i.created_by = {bound.bind(scope.owner_id if scope is not None else None)}")
    return conditions

"""`filter[terms.topics]…` to SQL: by the terms of what is published, or of drafts.

The ids of terms stand in the SQL itself. Some terms have a thousand times the content of others: PostgreSQL has to know
which one is asked for, and a plan that it keeps for a statement with parameters is one for the average term.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from scaicms.features.content import past
from scaicms.features.content.filters import MAX_CLAUSES, MAX_LIST_VALUES, FilterError
from scaicms.features.taxonomies.service import TermLinks
from scaicms.kit.sites import Site

Parameters = Sequence[tuple[str, str]]

OPERATORS = ("eq", "ne", "in", "nin", "under", "exists")
_PREFIX = "filter[terms"
_PARAMETER = re.compile(r"filter\[terms\.([a-z][a-z0-9_]*)\](?:\[([a-z_]+)\])?")


def split(filters: Parameters) -> tuple[Parameters, Parameters]:
    """Those about terms, and the others.

    Raises:
        FilterError: there are too many in all.
    """
    if len(filters) > MAX_CLAUSES:
        raise FilterError(f"At most {MAX_CLAUSES} filters.")
    about = [item for item in filters if item[0].startswith((f"{_PREFIX}.", f"{_PREFIX}]"))]
    return about, [item for item in filters if item not in about]


async def conditions(
    links: TermLinks, site: Site, filters: Parameters, *, drafts: bool, as_of: datetime | None = None
) -> list[str]:
    """SQL conditions on the row `d` of a list, all of which must hold; of what was published at a moment (`as_of`).

    Raises:
        FilterError: the site has no such taxonomy or term, or there is no such operator.
    """
    asked = [(*_read(name), value) for name, value in filters]
    if not asked:
        return []
    names = [name for _, operator, value in asked if operator != "exists" for name in value.split(",")]
    if len(names) > MAX_LIST_VALUES:
        raise FilterError(f"At most {MAX_LIST_VALUES} terms.")
    taxonomies, terms = await links.known(site, [key for key, _, _ in asked], names)
    source = "item_terms" if drafts else past.document_terms(as_of)
    return [_condition(clause, taxonomies, terms, source) for clause in asked]


def _condition(
    asked: tuple[str, str, str],
    taxonomies: Mapping[str, UUID],
    terms: Mapping[tuple[str, str], UUID],
    source: str,
) -> str:
    key, operator, value = asked
    if key not in taxonomies:
        raise FilterError(f"This site has no taxonomy {key}.")
    if operator == "exists":
        ids, wanted = [taxonomies[key]], _flag(key, value)
    else:
        ids, wanted = [_term(key, name, terms) for name in value.split(",")], operator not in ("ne", "nin")
    same = "" if source == "item_terms" else "AND l.locale = d.locale"
    column = "under" if operator in ("under", "exists") else "terms"
    listed = ", ".join(f"'{UUID(str(term_id))}'" for term_id in ids)
    sql = f"""EXISTS (SELECT 1 FROM {source} l WHERE l.item_id = d.item_id {same}
                      AND l.{column} {"&&" if len(ids) > 1 else "@>"} ARRAY[{listed}]::uuid[])"""
    return sql if wanted else f"NOT {sql}"


def _read(name: str) -> tuple[str, str]:
    """Taxonomy and operator of a parameter."""
    matched = _PARAMETER.fullmatch(name)
    if matched is None:
        raise FilterError(f"{name} is not a filter; write filter[terms.topics]=… or filter[terms.topics][under]=….")
    operator = matched[2] or "eq"
    if operator not in OPERATORS:
        raise FilterError(f"terms.{matched[1]} knows no operator {operator}; it has {', '.join(OPERATORS)}.")
    return matched[1], operator


def _flag(key: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise FilterError(f"terms.{key}: exists is true or false.")
    return value == "true"


def _term(key: str, name: str, terms: Mapping[tuple[str, str], UUID]) -> UUID:
    try:
        return terms[key, name]
    except KeyError:
        raise FilterError(f"{key} has no term {name}.") from None

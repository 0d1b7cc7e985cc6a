"""`filter[terms.topics]…` to SQL: by the terms of what is published, or of drafts.

The ids of terms stand in the SQL itself. Some terms have a thousand times the content of others: PostgreSQL has to know
which one is asked for, and a plan that it keeps for a statement with parameters is one for the average term.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from scaicms.features.content import past
from scaicms.features.content.query_tree import MAX_LIST_VALUES, Clause, FilterError, Tree, clauses
from scaicms.features.taxonomies.service import TermLinks
from scaicms.kit.sites import Site

OPERATORS = ("eq", "ne", "in", "nin", "under", "exists")


@dataclass(frozen=True, slots=True)
class KnownTerms:
    """The taxonomies and terms that a list's filters name."""

    taxonomies: Mapping[str, UUID]
    terms: Mapping[tuple[str, str], UUID]
    source: str = "document_terms"
    """Where those of documents stand."""

    def condition(self, clause: Clause, row: str, *, drafts: bool) -> str:
        """SQL about a row of a list; with `drafts`, by the terms of its draft.

        Raises:
            FilterError: the site has no such taxonomy or term, or there is no such operator.
        """
        key, operator = _key(clause), clause.operator
        if operator not in OPERATORS:
            raise FilterError(f"{clause.path} knows no operator {operator}; it has {', '.join(OPERATORS)}.")
        if key not in self.taxonomies:
            raise FilterError(f"This site has no taxonomy {key}.")
        if operator == "exists":
            ids, wanted = [self.taxonomies[key]], _flag(key, clause.values)
        else:
            ids, wanted = [_term(key, name, self.terms) for name in clause.values], operator not in ("ne", "nin")
        table, same = ("item_terms", "") if drafts else (self.source, f"AND l.locale = {row}.locale")
        column = "under" if operator in ("under", "exists") else "terms"
        listed = ", ".join(f"'{UUID(str(term_id))}'" for term_id in ids)
        sql = f"""EXISTS (SELECT 1 FROM {table} l WHERE l.item_id = {row}.item_id {same}
                          AND l.{column} {"&&" if len(ids) > 1 else "@>"} ARRAY[{listed}]::uuid[])"""
        return sql if wanted else f"NOT {sql}"


async def known(links: TermLinks, site: Site, tree: Tree, as_of: datetime | None) -> KnownTerms:
    """What the filters of a list need to know of terms; of what was published at a moment (`as_of`, UTC).

    Raises:
        FilterError: they name too many.
    """
    asked = [clause for clause in clauses(tree) if clause.about_terms]
    if not asked:
        return KnownTerms({}, {})
    names = [name for clause in asked if clause.operator != "exists" for name in clause.values]
    if len(names) > MAX_LIST_VALUES:
        raise FilterError(f"At most {MAX_LIST_VALUES} terms.")
    taxonomies, terms = await links.known(site, [_key(clause) for clause in asked], names)
    return KnownTerms(taxonomies, terms, past.document_terms(as_of))


def _key(clause: Clause) -> str:
    return clause.path.rpartition(".")[2]


def _flag(key: str, values: tuple[str, ...]) -> bool:
    if values not in (("true",), ("false",)):
        raise FilterError(f"terms.{key}: exists is true or false.")
    return values == ("true",)


def _term(key: str, name: str, terms: Mapping[tuple[str, str], UUID]) -> UUID:
    try:
        return terms[key, name]
    except KeyError:
        raise FilterError(f"{key} has no term {name}.") from None

"""Which drafts and published documents have which terms, for content, which asks for it with its own authority."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from scaicms.features.taxonomies import link_repository, repository
from scaicms.features.taxonomies.errors import TaxonomyNotFoundError, TermNotFoundError
from scaicms.features.taxonomies.names import name_in
from scaicms.features.taxonomies.records import ItemTerm, Showing
from scaicms.features.taxonomies.schemas import TermGiven
from scaicms.infra.services import Service
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.ids import parse_id
from scaicms.kit.sites import Site

Given = Mapping[str, Sequence[str | TermGiven] | None]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Terms that exist, by the taxonomies that a write is about; each in the order given."""

    terms: Mapping[UUID, Sequence[UUID]]


class TermLinks(Service):
    """Terms of items. Writes need an open transaction."""

    async def require(self, site: Site, key: str, term_id: UUID) -> None:
        """Raise unless the site has this taxonomy and it this term."""
        taxonomy = await repository.find(site.id, key)
        if taxonomy is None:
            raise TaxonomyNotFoundError
        if await repository.find_term(taxonomy.id, term_id) is None:
            raise TermNotFoundError

    async def resolve(self, site: Site, given: Given) -> Resolved:
        """The terms that a write names by slugs or ids. Who calls holds the site's terms (`hold`), so that none of them
        is renamed, merged or deleted until it ends.

        Raises:
            InvalidError: the site has no such taxonomy or term; pointers begin with `/taxonomies`.
        """
        wanted = {key: [_name(term) for term in terms or ()] for key, terms in given.items()}
        taxonomies, known = await link_repository.known(site.id, list(given), [n for ns in wanted.values() for n in ns])
        errors = [
            FieldError(f"/taxonomies/{key}", "unknown_taxonomy", f"This site has no taxonomy {key}.")
            for key in given
            if key not in taxonomies
        ]
        errors += [
            FieldError(f"/taxonomies/{key}/{number}", "unknown_term", f"{key} has no term {name}.")
            for key, names in wanted.items()
            for number, name in enumerate(names)
            if key in taxonomies and (key, name) not in known
        ]
        if errors:
            raise InvalidError("There are no such terms on this site.", errors=errors)
        return Resolved(
            {taxonomies[key]: list(dict.fromkeys(known[key, name] for name in names)) for key, names in wanted.items()}
        )

    async def known(
        self, site: Site, keys: Sequence[str], names: Sequence[str]
    ) -> tuple[Mapping[str, UUID], Mapping[tuple[str, str], UUID]]:
        """Ids of those of these taxonomies that the site has; of their terms, by taxonomy and slug or id."""
        return await link_repository.known(site.id, keys, [_name(name) for name in names])

    async def keys(self, site: Site) -> list[str]:
        """Keys of the site's taxonomies."""
        return await link_repository.taxonomy_keys(site.id)

    async def assign(self, site: Site, item_id: UUID, resolved: Resolved) -> bool:
        """Make these the only terms of a draft in their taxonomies; whether that changed anything."""
        there = await link_repository.terms_of(item_id)
        wanted = {**there, **resolved.terms}
        if all(there.get(taxonomy, []) == list(terms) for taxonomy, terms in resolved.terms.items()):
            return False
        await link_repository.put_terms(site.id, item_id, [term for terms in wanted.values() for term in terms])
        return True

    async def of_items(self, site: Site, item_ids: Sequence[UUID], locale: str) -> dict[UUID, tuple[ItemTerm, ...]]:
        """What drafts have, by taxonomy and in the order given; items without terms are absent."""
        chain = site.chain(locale)
        found: dict[UUID, tuple[ItemTerm, ...]] = {}
        for row in await link_repository.of_items(item_ids):
            term = ItemTerm(row.taxonomy, row.id, row.slug, name_in(row.names, chain))
            found[row.item_id] = (*found.get(row.item_id, ()), term)
        return found

    async def called(self, site: Site, term_ids: Sequence[UUID], locale: str) -> list[ItemTerm]:
        """These terms as they are called now, in this order; those that are gone are absent."""
        rows = {row.id: row for row in await link_repository.of_ids(site.id, term_ids)}
        chain = site.chain(locale)
        found = [rows[term_id] for term_id in term_ids if term_id in rows]
        return [ItemTerm(row.taxonomy, row.id, row.slug, name_in(row.names, chain)) for row in found]

    async def hold(self, site: Site) -> None:
        """What is read of terms from here on stays as it is until the transaction ends. To be called before any lock on
        a type or an item: who holds one of these and waits here waits for whoever is about to rename a term, who waits
        for those who hold terms, who may wait for the item."""
        await repository.hold_names(site.id, to_change=False)

    async def publish(self, item_id: UUID, locale: str) -> None:
        """Give the published document the terms that the draft has."""
        await link_repository.publish(item_id, locale)

    async def showing(self, site: Site, term_id: UUID | None, *, after: int, limit: int) -> list[Showing]:
        """Documents that show a term, in order; for None those that show what they no more have."""
        if term_id is None:
            return await link_repository.stale(site.id, limit)
        return await link_repository.showing(term_id, after, limit)

    async def of_documents(
        self, site: Site, documents: Sequence[Showing]
    ) -> dict[tuple[UUID, str], tuple[ItemTerm, ...]]:
        """What documents have now, by item and locale; they count as rendered from here on."""
        found: dict[tuple[UUID, str], tuple[ItemTerm, ...]] = {}
        for (item_id, locale), row in await link_repository.of_documents(documents):
            term = ItemTerm(row.taxonomy, row.id, row.slug, name_in(row.names, site.chain(locale)))
            found[item_id, locale] = (*found.get((item_id, locale), ()), term)
        return found


def _name(given: str | TermGiven) -> str:
    """The slug or id that names a term."""
    if isinstance(given, str):
        term_id = parse_id(given)
        return str(term_id) if term_id is not None else given
    return str(given.id) if given.id is not None else given.slug or ""

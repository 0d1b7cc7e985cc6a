"""Use cases of terms. Whatever changes a tree holds its taxonomy first, so that such changes come one after another."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from scaicms.features.taxonomies import link_repository, permissions, repository
from scaicms.features.taxonomies.errors import (
    TaxonomyNotFoundError,
    TermCycleError,
    TermDepthError,
    TermInUseError,
    TermNotFoundError,
    TermSlugTakenError,
)
from scaicms.features.taxonomies.events import TermCreated, TermDeleted, TermMerged, TermMoved, TermRenamed
from scaicms.features.taxonomies.models import TaxonomyRow
from scaicms.features.taxonomies.names import alike, laid_over, name_in
from scaicms.features.taxonomies.records import Counts, Term
from scaicms.features.taxonomies.schemas import MAX_DEPTH, CreateTerm, ListTerms, MoveTerm, UpdateTerm
from scaicms.infra import db, lists
from scaicms.infra.events import record
from scaicms.infra.lists import Found
from scaicms.infra.services import Service
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import BadRequestError, FieldError, InvalidError
from scaicms.kit.ids import new_id
from scaicms.kit.locales import known_locale
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site
from scaicms.kit.slugs import numbered, slugify

SLUG_CANDIDATES = 50
MAX_TREE = 5_000
READ_CONTENT = "content:read"
"""Of a feature above this one."""

Check = Callable[[Term], None]


@dataclass(frozen=True, slots=True)
class TermPage:
    """Terms of a list with the terms below each, and how much content each has; both where asked for."""

    found: Found[Term]
    chain: Sequence[str]
    children: Mapping[UUID, Sequence[Term]] | None = None
    counts: Mapping[UUID, Counts] | None = None


@dataclass(frozen=True, slots=True)
class WrittenTerm:
    """A term after a write, and the jobs that the write gave to workers."""

    term: Term
    chain: Sequence[str]
    job_ids: Sequence[UUID] = field(default_factory=tuple)


class TermService(Service):
    """Terms of a site's taxonomies."""

    async def page(self, principal: Principal, site: Site, key: str, query: ListTerms) -> TermPage:
        """A page of terms, or of trees of them."""
        principal.require(permissions.READ.code, site.id)
        chain = site.chain(known_locale(site, query.locale))
        taxonomy = await _found(site.id, key)
        if not query.tree and query.depth is not None:
            raise BadRequestError("depth is for trees; add tree=true.", code="invalid_parameter")
        if query.tree and query.q is not None:
            raise BadRequestError("q finds single terms; leave out tree=true.", code="invalid_parameter")
        listed = await lists.read_page(self.resources, repository.terms(taxonomy.id, query, roots=query.tree), query)
        found = listed.each(repository.to_term)
        children = await _below(found.rows, query.depth) if query.tree else None
        shown = [*found.rows, *(term for below in (children or {}).values() for term in below)]
        counts = None
        if query.counts:
            drafts = principal.may(permissions.WRITE.code, site.id)
            if not drafts:
                _require_all_content(principal, site)
            counts = await link_repository.counts(site.id, [term.id for term in shown], drafts=drafts)
        return TermPage(found, chain, children, counts)

    async def get(self, principal: Principal, site: Site, key: str, term_id: UUID, locale: str | None) -> WrittenTerm:
        principal.require(permissions.READ.code, site.id)
        chain = site.chain(known_locale(site, locale))
        taxonomy = await _found(site.id, key)
        return WrittenTerm(await _term(taxonomy, term_id), chain)

    async def create(
        self, principal: Principal, site: Site, key: str, new: CreateTerm, locale: str | None
    ) -> WrittenTerm:
        """A new term, last among its siblings unless a position is given."""
        principal.require(permissions.WRITE.code, site.id)
        locale = known_locale(site, locale)
        async with db.transaction():
            taxonomy = await held_taxonomy(site.id, key)
            site = await _as_it_is(site, taxonomy)
            names = laid_over({}, new.name, site, localized=taxonomy.localized, locale=locale)
            parent = await _parent(taxonomy, new.parent_id)
            if parent is not None and parent.depth + 2 > MAX_DEPTH:
                raise TermDepthError(f"Trees have at most {MAX_DEPTH} levels.")
            term_id, now = new_id(), utcnow()
            term = Term(
                id=term_id,
                taxonomy_id=taxonomy.id,
                parent_id=new.parent_id,
                slug=await _new_slug(taxonomy, new.slug, name_in(names, site.chain(locale))),
                names=names,
                path=(*(parent.path if parent else ()), term_id),
                position=await _make_room(taxonomy, new.parent_id, new.position),
                created_at=now,
                updated_at=now,
            )
            await repository.insert_term(term)
            fact = TermCreated(**_about(site, taxonomy, term), parent_id=term.parent_id)
            return WrittenTerm(term, site.chain(locale), await record(fact, actor=principal))

    async def named(self, site: Site, key: str, names: Sequence[str]) -> dict[str, UUID]:
        """Those of these names that terms have, in whatever locale; a slug that somebody chose is one too."""
        return await _named(await _found(site.id, key), names)

    async def ensure(
        self, principal: Principal, site: Site, key: str, names: Sequence[str], locale: str | None
    ) -> tuple[dict[str, UUID], int]:
        """Terms with these names, and how many were made because they were missing: each once, also when many ask at
        the same moment."""
        async with db.transaction():
            taxonomy = await held_taxonomy(site.id, key)
            found = await _named(taxonomy, names)
            made: dict[str, UUID] = {}
            for name in names:
                if name not in found:
                    if alike(name) not in made:
                        written = await self.create(principal, site, key, CreateTerm(name=name), locale)
                        made[alike(name)] = written.term.id
                    found[name] = made[alike(name)]
            return found, len(made)

    async def update(
        self,
        principal: Principal,
        site: Site,
        key: str,
        term_id: UUID,
        change: UpdateTerm,
        locale: str | None,
        *,
        check: Check,
    ) -> WrittenTerm:
        """Other names, another slug. `check` may refuse the term as it is when we hold it."""
        principal.require(permissions.WRITE.code, site.id)
        locale = known_locale(site, locale)
        async with db.transaction():
            await repository.hold_names(site.id, to_change=True)
            taxonomy = await held_taxonomy(site.id, key)
            old = await _term(taxonomy, term_id)
            check(old)
            term = replace(old, updated_at=utcnow())
            if change.name is not None:
                site = await _as_it_is(site, taxonomy)
                names = laid_over(old.names, change.name, site, localized=taxonomy.localized, locale=locale)
                term = replace(term, names=names)
            if change.slug is not None and change.slug != old.slug:
                term = replace(term, slug=await _new_slug(taxonomy, change.slug, ""))
            await repository.rename(term)
            jobs = await record(TermRenamed(**_about(site, taxonomy, term)), actor=principal)
            return WrittenTerm(term, site.chain(locale), jobs)

    async def move(
        self, principal: Principal, site: Site, key: str, term_id: UUID, to: MoveTerm, *, check: Check
    ) -> WrittenTerm:
        """Below another parent, to the roots, or to another place among its siblings; with all that is below it.

        Raises:
            TermCycleError: the new parent is the term itself or stands below it.
        """
        principal.require(permissions.WRITE.code, site.id)
        async with db.transaction():
            await repository.hold_names(site.id, to_change=True)
            taxonomy = await held_taxonomy(site.id, key)
            old = await _term(taxonomy, term_id)
            check(old)
            parent_id = to.parent_id if "parent_id" in to.model_fields_set else old.parent_id
            parent = await _parent(taxonomy, parent_id)
            await _check_place(old, parent)
            # Out of the old row and into the new one, each without gaps at every step.
            await repository.shift(taxonomy.id, old.parent_id, old.position + 1, -1)
            await repository.place(old.id, parent_id, _NOWHERE, old.updated_at)
            position = await _make_room(taxonomy, parent_id, to.position)
            await repository.place(old.id, parent_id, position, utcnow())
            if parent_id != old.parent_id:
                await repository.repath(old, parent)
                await link_repository.settle(old.id)
            term = await _term(taxonomy, term_id)
            fact = TermMoved(**_about(site, taxonomy, term), parent_id=parent_id, position=position)
            return WrittenTerm(term, site.chain(site.default_locale), await record(fact, actor=principal))

    async def merge(
        self, principal: Principal, site: Site, key: str, term_id: UUID, into_id: UUID, *, check: Check
    ) -> WrittenTerm:
        """Away with a term; the other takes over its content and the terms below it."""
        principal.require(permissions.WRITE.code, site.id)
        async with db.transaction():
            await repository.hold_names(site.id, to_change=True)
            taxonomy = await held_taxonomy(site.id, key)
            source = await _term(taxonomy, term_id)
            check(source)
            into = await repository.find_term(taxonomy.id, into_id)
            if into is None:
                raise InvalidError(errors=[FieldError("/into", "unknown_term", f"{key} has no term {into_id}.")])
            if source.id in into.path:
                raise TermCycleError("A term cannot be merged into itself or one below it; move that one out first.")
            if await repository.height(source.id) - source.depth + into.depth > MAX_DEPTH:
                raise TermDepthError(f"Trees have at most {MAX_DEPTH} levels.")
            await repository.adopt(source, into, await repository.siblings(taxonomy.id, into.id))
            await repository.remove(source.id)
            await link_repository.settle(source.id, into=into.id)
            await repository.shift(taxonomy.id, source.parent_id, source.position + 1, -1)
            jobs = await record(TermMerged(**_about(site, taxonomy, source), into_id=into.id), actor=principal)
            return WrittenTerm(await _term(taxonomy, into.id), site.chain(site.default_locale), jobs)

    async def delete(
        self, principal: Principal, site: Site, key: str, term_id: UUID, *, force: bool, check: Check
    ) -> None:
        """Away with a term. Where it is in use only by `force`, with those below it and from all that has one.

        Raises:
            TermInUseError: content has it, or there are terms below it; the error counts what would be lost.
        """
        principal.require(permissions.WRITE.code, site.id)
        async with db.transaction():
            await repository.hold_names(site.id, to_change=True)
            taxonomy = await held_taxonomy(site.id, key)
            term = await _term(taxonomy, term_id)
            check(term)
            lost = await link_repository.lost_with(term.id, await repository.count(term.id))
            if not force and (lost.terms > 1 or lost.items or lost.published):
                raise TermInUseError(
                    f"With {term.slug} would go {lost}; repeat it with force=true to lose them.",
                    extra={"lost": {"terms": lost.terms, "items": lost.items, "published": lost.published}},
                )
            await repository.remove(term.id)
            await link_repository.settle(term.id)
            await repository.shift(taxonomy.id, term.parent_id, term.position + 1, -1)
            await record(TermDeleted(**_about(site, taxonomy, term), below=lost.terms - 1), actor=principal)


_NOWHERE = -1


def _require_all_content(principal: Principal, site: Site) -> None:
    """Refuse to count what the caller may not read."""
    principal.require(READ_CONTENT, site.id)
    if principal.scope(READ_CONTENT, site.id) is not None:
        raise principal.refusal(READ_CONTENT, "Your rights do not reach all that is counted; ask /terms/{id}/content.")


async def held_taxonomy(site_id: UUID, key: str) -> TaxonomyRow:
    """The taxonomy, held until the transaction ends."""
    row = await repository.find(site_id, key, lock=True)
    if row is None:
        raise TaxonomyNotFoundError
    return row


async def _found(site_id: UUID, key: str) -> TaxonomyRow:
    row = await repository.find(site_id, key)
    if row is None:
        raise TaxonomyNotFoundError
    return row


async def _term(taxonomy: TaxonomyRow, term_id: UUID) -> Term:
    term = await repository.find_term(taxonomy.id, term_id)
    if term is None:
        raise TermNotFoundError
    return term


async def _named(taxonomy: TaxonomyRow, names: Sequence[str]) -> dict[str, UUID]:
    found = await repository.named(taxonomy.id, names)
    # Not one that was made of the name: `c` may be what is left of "C++".
    chosen = [
        term
        for term in await repository.with_slugs(taxonomy.id, names)
        if term.slug not in {slugify(name) for name in term.names.values()}
    ]
    return {**{term.slug: term.id for term in chosen}, **found}


async def _parent(taxonomy: TaxonomyRow, parent_id: UUID | None) -> Term | None:
    if parent_id is None:
        return None
    if not taxonomy.hierarchical:
        raise InvalidError(errors=[FieldError("/parent_id", "not_hierarchical", "This taxonomy has no tree.")])
    parent = await repository.find_term(taxonomy.id, parent_id)
    if parent is None:
        wrong = FieldError("/parent_id", "unknown_term", f"{taxonomy.key} has no term {parent_id}.")
        raise InvalidError(errors=[wrong])
    return parent


async def _check_place(term: Term, parent: Term | None) -> None:
    if parent is None or parent.id == term.parent_id:
        return
    if term.id in parent.path:
        raise TermCycleError
    if await repository.height(term.id) - term.depth + parent.depth + 1 > MAX_DEPTH:
        raise TermDepthError(f"Trees have at most {MAX_DEPTH} levels.")


async def _make_room(taxonomy: TaxonomyRow, parent_id: UUID | None, wanted: int | None) -> int:
    """A free position among the terms below a parent: the wanted one, or the last where there are not so many."""
    last = await repository.siblings(taxonomy.id, parent_id)
    if wanted is None or wanted >= last:
        return last
    await repository.shift(taxonomy.id, parent_id, wanted, 1)
    return wanted


async def _new_slug(taxonomy: TaxonomyRow, wanted: str | None, name: str) -> str:
    """The wanted slug, or one made of the name and numbered until it is free. The taxonomy is held: it stays free."""
    if wanted is not None:
        if await repository.taken_slugs(taxonomy.id, [wanted]):
            raise TermSlugTakenError(f"Another term of {taxonomy.key} has the slug {wanted}.")
        return wanted
    base = slugify(name) or "term"
    candidates = [base, *(numbered(base, number) for number in range(2, SLUG_CANDIDATES))]
    taken = await repository.taken_slugs(taxonomy.id, candidates)
    free = next((candidate for candidate in candidates if candidate not in taken), None)
    if free is None:
        raise TermSlugTakenError(f"{base} and its numbered variants are taken; give a slug.")
    return free


async def _below(tops: Sequence[Term], depth: int | None) -> dict[UUID, list[Term]]:
    """The terms below each term, for so many levels, the topmost one's included."""
    if not tops:
        return {}
    levels = min(term.depth for term in tops) + (depth or MAX_DEPTH)
    ids = [term.id for term in tops]
    if await repository.has_more_below(ids, levels=levels, limit=MAX_TREE):
        raise BadRequestError(
            f"These trees have more than {MAX_TREE} terms. Ask for fewer levels (depth=1), smaller pages, or parent=…",
            code="too_many_terms",
        )
    children = defaultdict(list)
    for term in await repository.below(ids, levels=levels, limit=MAX_TREE):
        if term.parent_id is not None:
            children[term.parent_id].append(term)
    return children


def _about(site: Site, taxonomy: TaxonomyRow, term: Term) -> dict[str, object]:
    """What every fact about a term tells."""
    return {
        "site_id": site.id,
        "aggregate_id": term.id,
        "taxonomy_id": taxonomy.id,
        "taxonomy": taxonomy.key,
        "slug": term.slug,
    }


async def _as_it_is(site: Site, taxonomy: TaxonomyRow) -> Site:
    """The site with the locales that it has, for who holds a taxonomy: none is taken away meanwhile."""
    return replace(site, locales=await repository.locales_of(site.id)) if taxonomy.localized else site

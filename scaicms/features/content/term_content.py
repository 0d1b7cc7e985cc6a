"""Use cases of what has a term: seeing it, giving the term to many items at once, taking it from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from asyncpg import Record

from scaicms.features.content import access, permissions, repository, term_repository
from scaicms.features.content.errors import ItemNotFoundError
from scaicms.features.content.records import Item
from scaicms.features.content.schemas import ContentChanged, ListTermContent
from scaicms.features.content.service import ContentService
from scaicms.features.content.term_repository import Having, Links
from scaicms.features.taxonomies.service import TermLinks
from scaicms.infra import db, lists
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.principal import Principal, Scope
from scaicms.kit.schemas import ListQuery
from scaicms.kit.sites import Site


@dataclass(frozen=True, slots=True)
class Linked:
    """A page of items; how many have the very term, and how many that or one below it."""

    found: Found[Record]
    direct: int
    under: int
    is_lower_bound: bool


class TermContentService(Service):
    """Items of a term."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)
        self._terms = services.get(TermLinks)

    async def page(self, principal: Principal, site: Site, key: str, term_id: UUID, query: ListTermContent) -> Linked:
        """What has the term: drafts as far as the caller may read them, else what is published."""
        principal.require(permissions.READ.code, site.id)
        await self._terms.require(site, key, term_id)
        having = Having(site.id, term_id, _reaches(principal, site))
        found = await lists.read_page(self.resources, term_repository.items(having, under=query.descendants), query)
        others = term_repository.items(having, under=not query.descendants)
        other = await lists.read_page(self.resources, others, ListQuery(page_size=1))
        direct, under = (other, found) if query.descendants else (found, other)
        is_lower_bound = direct.is_lower_bound or under.is_lower_bound
        return Linked(found, direct.total or 0, under.total or 0, is_lower_bound)

    async def change(
        self, principal: Principal, site: Site, key: str, term_id: UUID, item_ids: Sequence[UUID], *, add: bool
    ) -> ContentChanged:
        """Give the term to these items, or take it from them: all or none.

        Where what is published is the draft, and the caller may publish it, it is published anew at once.

        Raises:
            InvalidError: some of them do not exist on this site, or not for the caller.
        """
        principal.require(permissions.UPDATE.code, site.id)
        await self._terms.require(site, key, term_id)
        outcome = ContentChanged(changed=0, unchanged=0, published=0, job_ids=[])
        places = {item_id: place for place, item_id in reversed(list(enumerate(item_ids)))}
        async with db.transaction():
            await self._terms.hold(site)
            await repository.hold_items(site.id, sorted(places))
            for item_id in sorted(places):
                try:
                    item = await self._content.hold(principal, permissions.UPDATE, site, item_id)
                except ItemNotFoundError:
                    pointer = f"/content_ids/{places[item_id]}"
                    wrong = FieldError(pointer, "unknown_item", f"There is no item {item_id} on this site.")
                    raise InvalidError(errors=[wrong]) from None
                there = [term.id for term in item.terms if term.taxonomy == key]
                if (term_id in there) == add:
                    outcome.unchanged += 1
                else:
                    wanted = [*there, term_id] if add else [term for term in there if term != term_id]
                    await self._save(principal, site, item, {key: [str(term) for term in wanted]}, outcome)
        return outcome

    async def _save(
        self, principal: Principal, site: Site, item: Item, given: dict[str, list[str]], outcome: ContentChanged
    ) -> None:
        in_step = await repository.locales_in_step(item.id)
        written = await self._content.save(principal, site, item.id, {}, taxonomies=given, locale=item.locale)
        outcome.changed += 1
        outcome.job_ids += written.job_ids
        publishable = [locale for locale in in_step if _may_publish(principal, item, locale)]
        for locale in publishable:
            outcome.job_ids += (await self._content.publish(principal, site, item.id, locale=locale)).job_ids
        outcome.published += bool(publishable)


def _reaches(principal: Principal, site: Site) -> list[tuple[Links, Scope | None]]:
    """Where the caller may look: into drafts, and where not all of them are within reach, into what is published."""
    found: list[tuple[Links, Scope | None]] = []
    if principal.may(permissions.READ_DRAFTS.code, site.id):
        scope = principal.scope(permissions.READ_DRAFTS.code, site.id)
        found.append(("item_terms", scope))
        if scope is None:
            return found
    return [*found, ("document_terms", principal.scope(permissions.READ.code, site.id))]


def _may_publish(principal: Principal, item: Item, locale: str) -> bool:
    scope = principal.scope(permissions.PUBLISH.code, item.site_id)
    within = access.view(scope, item.content_type.key, locale, item.created_by) is not None
    return within and principal.may(permissions.PUBLISH.code, item.site_id)

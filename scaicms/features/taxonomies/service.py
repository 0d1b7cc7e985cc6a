"""Use cases of taxonomies; those of their terms are in `tree`, of what has terms in `links`."""

from collections.abc import Callable

from tortoise.exceptions import IntegrityError

from scaicms.features.taxonomies import link_repository, permissions, repository
from scaicms.features.taxonomies.errors import (
    TaxonomyExistsError,
    TaxonomyInUseError,
    TaxonomyNotFoundError,
    TaxonomyShapeError,
)
from scaicms.features.taxonomies.events import TaxonomyCreated, TaxonomyDeleted, TaxonomyUpdated
from scaicms.features.taxonomies.links import TermLinks
from scaicms.features.taxonomies.models import TaxonomyRow
from scaicms.features.taxonomies.records import ItemTerm, Showing
from scaicms.features.taxonomies.schemas import CreateTaxonomy, UpdateTaxonomy
from scaicms.features.taxonomies.tree import TermService, held_taxonomy
from scaicms.infra import db, lists
from scaicms.infra.events import record
from scaicms.infra.lists import Found
from scaicms.infra.services import Service
from scaicms.kit.clock import utcnow
from scaicms.kit.ids import new_id
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import ListQuery
from scaicms.kit.sites import Site

__all__ = ["ItemTerm", "Showing", "TaxonomyService", "TermLinks", "TermService"]

Check = Callable[[TaxonomyRow], None]


class TaxonomyService(Service):
    """Taxonomies of a site."""

    async def list_taxonomies(self, principal: Principal, site: Site, query: ListQuery) -> Found[TaxonomyRow]:
        principal.require(permissions.READ.code, site.id)
        return await lists.read_models(self.resources, TaxonomyRow, repository.taxonomies(site.id), query)

    async def first_taxonomies(self, principal: Principal, site: Site, number: int) -> list[TaxonomyRow]:
        """The first taxonomies by key."""
        principal.require(permissions.READ.code, site.id)
        return await lists.first_models(TaxonomyRow, repository.taxonomies(site.id), number)

    async def get(self, principal: Principal, site: Site, key: str) -> TaxonomyRow:
        principal.require(permissions.READ.code, site.id)
        row = await repository.find(site.id, key)
        if row is None:
            raise TaxonomyNotFoundError
        return row

    async def create(self, principal: Principal, site: Site, new: CreateTaxonomy) -> TaxonomyRow:
        principal.require(permissions.WRITE.code, site.id)
        now = utcnow()
        row = TaxonomyRow(id=new_id(), site_id=site.id, created_at=now, updated_at=now, **new.model_dump())
        try:
            async with db.transaction():
                await row.save(force_create=True)
                await record(TaxonomyCreated(site_id=site.id, aggregate_id=row.id, key=row.key), actor=principal)
        except IntegrityError:
            raise TaxonomyExistsError from None
        return row

    async def update(
        self, principal: Principal, site: Site, key: str, change: UpdateTaxonomy, *, check: Check
    ) -> TaxonomyRow:
        """Change a taxonomy. `check` may refuse the row as it is when we hold it.

        Raises:
            TaxonomyShapeError: it is to have no tree, or no names by locale, and has them.
        """
        principal.require(permissions.WRITE.code, site.id)
        async with db.transaction():
            row = await held_taxonomy(site.id, key)
            check(row)
            row.update_from_dict(change.model_dump(exclude_unset=True, exclude_none=True))
            if not row.hierarchical and await repository.has_children(row.id):
                raise TaxonomyShapeError("Some terms stand below others; move them to the roots first.")
            if not row.localized and await repository.has_translations(row.id):
                raise TaxonomyShapeError("Some terms have names in other locales; remove those first.")
            row.updated_at = utcnow()
            await row.save()
            await record(TaxonomyUpdated(site_id=site.id, aggregate_id=row.id, key=key), actor=principal)
        return row

    async def delete(self, principal: Principal, site: Site, key: str, *, force: bool, check: Check) -> None:
        """Away with it. Where it has terms only by `force`, with all of them and from all that has one.

        Raises:
            TaxonomyInUseError: it has terms; the error counts what would be lost.
        """
        principal.require(permissions.WRITE.code, site.id)
        async with db.transaction():
            await repository.hold_names(site.id, to_change=True)
            row = await held_taxonomy(site.id, key)
            check(row)
            lost = await link_repository.lost_with(row.id, await repository.count(row.id))
            if lost.terms and not force:
                raise TaxonomyInUseError(
                    f"{key} has {lost}; repeat it with force=true to lose them.",
                    extra={"lost": {"terms": lost.terms, "items": lost.items, "published": lost.published}},
                )
            await row.delete()
            await link_repository.settle(row.id)
            fact = TaxonomyDeleted(site_id=site.id, aggregate_id=row.id, key=key, terms=lost.terms)
            await record(fact, actor=principal)

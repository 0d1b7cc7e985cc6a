"""Taxonomies in bundles: what they are, not their terms, which are content."""

from collections.abc import Sequence

from scaicms.features.taxonomies.schemas import CreateTaxonomy, UpdateTaxonomy
from scaicms.features.taxonomies.service import TaxonomyService
from scaicms.infra.services import Services
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site
from scaicms.web.bundles import BundlePart

MAX_TAXONOMIES = 1_000


async def _read(services: Services, principal: Principal, site: Site) -> Sequence[CreateTaxonomy]:
    rows = await services.get(TaxonomyService).first_taxonomies(principal, site, MAX_TAXONOMIES)
    return [
        CreateTaxonomy.model_validate({name: getattr(row, name) for name in CreateTaxonomy.model_fields})
        for row in rows
    ]


async def _write(services: Services, principal: Principal, site: Site, entry: CreateTaxonomy, is_new: bool) -> None:
    taxonomies = services.get(TaxonomyService)
    if is_new:
        await taxonomies.create(principal, site, entry)
        return
    change = UpdateTaxonomy.model_validate({name: getattr(entry, name) for name in UpdateTaxonomy.model_fields})
    await taxonomies.update(principal, site, entry.key, change, check=lambda _: None)


PART = BundlePart(entry=CreateTaxonomy, read=_read, write=_write)

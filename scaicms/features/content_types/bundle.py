"""Content types in bundles."""

import asyncio
from collections.abc import Sequence

from scaicms.features.content_types.changes import changes
from scaicms.features.content_types.models import ContentTypeRow
from scaicms.features.content_types.schemas import ContentTypeOut, CreateContentType, UpdateContentType
from scaicms.features.content_types.service import ContentTypeService
from scaicms.infra.services import Services
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site
from scaicms.web.bundles import BundlePart

MAX_TYPES = 1_000


def _entry(row: ContentTypeRow) -> CreateContentType:
    out = ContentTypeOut.model_validate(row)
    # What is stored was checked when it came, by the limits of that time.
    return CreateContentType.model_construct(**{name: getattr(out, name) for name in CreateContentType.model_fields})


async def _read(services: Services, principal: Principal, site: Site) -> Sequence[CreateContentType]:
    rows = await services.get(ContentTypeService).first_types(principal, site, MAX_TYPES)
    return await asyncio.to_thread(lambda: [_entry(row) for row in rows])


async def _write(services: Services, principal: Principal, site: Site, entry: CreateContentType, is_new: bool) -> None:
    types = services.get(ContentTypeService)
    if is_new:
        await types.create(principal, site, entry)
        return
    change = UpdateContentType.model_validate({name: getattr(entry, name) for name in UpdateContentType.model_fields})
    await types.update(principal, site, entry.key, change, check=lambda _: None)


def _hindrances(old: CreateContentType, new: CreateContentType) -> list[str]:
    found = [f"it needs a plan: {change}" for change in changes(old.fields, new.fields) if not change.safe]
    if old.kind != new.kind:
        found.append(f"a {old.kind} cannot become a {new.kind}")
    return found


PART = BundlePart(entry=CreateContentType, read=_read, write=_write, hindrances=_hindrances)

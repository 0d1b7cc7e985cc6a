"""Roles in bundles: those that people have made, with what they grant."""

from collections.abc import Sequence

from pydantic import Field

from scaicms.features.roles.schemas import CreateRole, Grant, UpdateRole
from scaicms.features.roles.service import RoleService
from scaicms.infra.services import Services
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site
from scaicms.web.bundles import BundlePart

MAX_ROLES = 1_000


class RoleEntry(CreateRole):
    permissions: list[Grant] = Field(default_factory=list, max_length=500)


async def _read(services: Services, principal: Principal, _: Site) -> Sequence[RoleEntry]:
    roles = services.get(RoleService)
    rows = await roles.first_roles(principal, MAX_ROLES)
    return [
        RoleEntry(
            key=row.key,
            name=row.name,
            description=row.description,
            permissions=_sorted(
                [
                    Grant.model_validate(
                        {name: getattr(grant, name) for name in Grant.model_fields if getattr(grant, name) is not None}
                    )
                    for grant in await roles.grants(principal, row.key)
                ]
            ),
        )
        for row in rows
        if not row.built_in
    ]


def _sorted(grants: list[Grant]) -> list[Grant]:
    return sorted(grants, key=lambda grant: grant.model_dump_json())


async def _write(services: Services, principal: Principal, _: Site, entry: RoleEntry, is_new: bool) -> None:
    roles = services.get(RoleService)
    if is_new:
        await roles.create(principal, CreateRole(key=entry.key, name=entry.name, description=entry.description))
    else:
        await roles.update(principal, entry.key, UpdateRole(name=entry.name, description=entry.description))
    await roles.set_grants(principal, entry.key, entry.permissions, add=False)


PART = BundlePart(entry=RoleEntry, read=_read, write=_write)

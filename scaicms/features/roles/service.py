"""Use cases of roles."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from tortoise.exceptions import IntegrityError

from scaicms.features.permissions.service import PermissionService
from scaicms.features.roles import permissions, repository
from scaicms.features.roles.errors import (
    BuiltInRoleError,
    GrantNotFoundError,
    LastAdministratorError,
    MoreThanHeldError,
    RoleExistsError,
    RoleNotFoundError,
    UnknownUserError,
)
from scaicms.features.roles.events import RoleCreated, RoleDeleted, RolesAssigned, RoleUpdated
from scaicms.features.roles.models import RoleAssignmentRow, RoleGrantRow, RoleRow
from scaicms.features.roles.schemas import Assignment, CreateRole, UpdateRole
from scaicms.infra import db
from scaicms.infra.db.notices import notify
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.ids import new_id
from scaicms.kit.principal import EVERYTHING, Grants, Principal

AUTHORITY = "authority"
"""Topic of notices about who may do what; the subject is a user's id, or empty for everybody."""

_EDITOR = (
    "content:read content:read_drafts content:create content:update content:delete content:publish content:import "
    "content_types:read search:queues sites:read"
)
BUILT_IN = {
    "administrator": ("Administrator", EVERYTHING),
    "editor": ("Editor", _EDITOR),
    "author": (
        "Author",
        "content:read content:read_drafts content:create content:update content_types:read sites:read",
    ),
    "viewer": ("Viewer", "content:read content:read_drafts content_types:read sites:read"),
    "public": ("Public", ""),
}


class RoleService(Service):
    """Roles, what they grant, and who has them."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._permissions = services.get(PermissionService)

    async def ensure_built_in(self, principal: Principal) -> None:
        """Make the built-in roles where they are missing; existing ones keep what they grant."""
        principal.require(permissions.WRITE.code)
        for key, (name, granted) in BUILT_IN.items():
            if await repository.find(key) is None:
                await self._insert(principal, CreateRole(key=key, name=name), granted.split(), built_in=True)

    async def list_roles(self, principal: Principal, *, limit: int, offset: int) -> tuple[list[RoleRow], int]:
        principal.require(permissions.READ.code)
        return await repository.list_roles(limit=limit, offset=offset)

    async def get(self, principal: Principal, id_or_key: str, *, lock: bool = False) -> RoleRow:
        principal.require(permissions.READ.code)
        row = await repository.find(id_or_key, lock=lock)
        if row is None:
            raise RoleNotFoundError
        return row

    async def create(self, principal: Principal, new: CreateRole) -> RoleRow:
        principal.require(permissions.WRITE.code)
        return await self._insert(principal, new, (), built_in=False)

    async def update(self, principal: Principal, id_or_key: str, change: UpdateRole) -> RoleRow:
        principal.require(permissions.WRITE.code)
        async with db.transaction():
            row = await self.get(principal, id_or_key, lock=True)
            row.update_from_dict(change.model_dump(exclude_unset=True, exclude_none=True))
            row.updated_at = utcnow()
            await row.save()
            await record(RoleUpdated(site_id=None, aggregate_id=row.id, key=row.key), actor=principal)
        return row

    async def delete(self, principal: Principal, id_or_key: str) -> None:
        principal.require(permissions.WRITE.code)
        async with db.transaction():
            row = await self.get(principal, id_or_key, lock=True)
            if row.built_in:
                raise BuiltInRoleError
            await self._may_change(principal, row)
            async with self.keeping_administrators():
                await repository.remove_role(row)
            await record(RoleDeleted(site_id=None, aggregate_id=row.id, key=row.key), actor=principal)
            await notify(AUTHORITY)

    async def grants(self, principal: Principal, id_or_key: str) -> list[RoleGrantRow]:
        return await repository.grants((await self.get(principal, id_or_key)).id)

    async def set_grants(
        self, principal: Principal, id_or_key: str, wanted: Sequence[str], *, add: bool
    ) -> list[RoleGrantRow]:
        """Grant exactly these permissions, or these too (`add`)."""
        principal.require(permissions.WRITE.code)
        self._check_grantable(principal, wanted)
        async with db.transaction():
            row = await self.get(principal, id_or_key, lock=True)
            held = {grant.permission for grant in await repository.grants(row.id)}
            await self._may_change(principal, row)
            after = set(wanted) | (held if add else set())
            await self._replace(principal, row, sorted(after))
            return await repository.grants(row.id)

    async def remove_grant(self, principal: Principal, id_or_key: str, grant_id: UUID) -> None:
        principal.require(permissions.WRITE.code)
        async with db.transaction():
            row = await self.get(principal, id_or_key, lock=True)
            await self._may_change(principal, row)
            before = await repository.grants(row.id)
            left = [grant.permission for grant in before if grant.id != grant_id]
            if len(left) == len(before):
                raise GrantNotFoundError
            await self._replace(principal, row, left)

    async def assignments(self, principal: Principal, user_id: UUID) -> list[tuple[str, UUID | None]]:
        principal.require(permissions.READ.code)
        return await repository.assignments(user_id)

    async def assign(
        self, principal: Principal, user_id: UUID, wanted: Sequence[Assignment]
    ) -> list[tuple[str, UUID | None]]:
        """Give a user exactly these roles; takes effect at once in every process."""
        principal.require(permissions.ASSIGN.code)
        async with db.transaction():
            if not await repository.user_exists(user_id):
                raise UnknownUserError
            await self._check_sites(wanted)
            before = await repository.grants_of_user(user_id)
            _require_held(principal, before)
            roles = {item.role: await self._role(item.role) for item in wanted}
            rows = [
                RoleAssignmentRow(id=new_id(), user_id=user_id, role_id=roles[i.role].id, site_id=i.site_id)
                for i in {(i.role, i.site_id): i for i in wanted}.values()
            ]
            async with self.keeping_administrators():
                await repository.replace_assignments(user_id, rows)
            _require_held(principal, await repository.grants_of_user(user_id))
            keys = tuple(sorted(role.key for role in roles.values()))
            await record(RolesAssigned(site_id=None, aggregate_id=user_id, roles=keys), actor=principal)
            await notify(AUTHORITY, str(user_id))
            return await repository.assignments(user_id)

    async def own_assignments(self, user_id: UUID) -> list[tuple[str, UUID | None]]:
        """A user's roles, for the user: everybody may know their own."""
        return await repository.assignments(user_id)

    async def grants_of_user(self, user_id: UUID) -> Grants:
        """What a user's roles grant now; asked by authentication, which has no principal yet."""
        return await repository.grants_of_user(user_id)

    async def grants_of_role(self, key: str) -> frozenset[str]:
        """What a role grants now, for the role of anonymous callers."""
        return await repository.grants_of_role(key)

    @asynccontextmanager
    async def keeping_administrators(self) -> AsyncIterator[None]:
        """Around a change in a transaction: refused if it takes away the last active administrator."""
        await repository.lock_administrators()
        before = await repository.active_administrators()
        yield
        if before and not await repository.active_administrators():
            raise LastAdministratorError

    async def _insert(
        self, principal: Principal, new: CreateRole, granted: Sequence[str], *, built_in: bool
    ) -> RoleRow:
        now = utcnow()
        row = RoleRow(id=new_id(), built_in=built_in, created_at=now, updated_at=now, **new.model_dump())
        try:
            async with db.transaction():
                await row.save(force_create=True)
                await repository.replace_grants(row.id, _grants(row, granted))
                await record(RoleCreated(site_id=None, aggregate_id=row.id, key=row.key), actor=principal)
        except IntegrityError:
            raise RoleExistsError from None
        return row

    async def _replace(self, principal: Principal, row: RoleRow, granted: Sequence[str]) -> None:
        async with self.keeping_administrators():
            await repository.replace_grants(row.id, _grants(row, granted))
        await record(RoleUpdated(site_id=None, aggregate_id=row.id, key=row.key), actor=principal)
        await notify(AUTHORITY)

    async def _may_change(self, principal: Principal, row: RoleRow) -> None:
        """Who holds less than a role grants may not change it either: it could be taken from its holders."""
        _require_held(principal, Grants(frozenset(g.permission for g in await repository.grants(row.id))))

    def _check_grantable(self, principal: Principal, wanted: Iterable[str]) -> None:
        unknown = self._permissions.unknown(wanted)
        if unknown:
            message = f"Nothing is called {', '.join(unknown)}; see GET /permissions."
            raise InvalidError(errors=[FieldError("/items", "unknown_permission", message)])
        _require_held(principal, Grants(frozenset(wanted)))

    @staticmethod
    async def _check_sites(wanted: Sequence[Assignment]) -> None:
        named = {item.site_id for item in wanted if item.site_id is not None}
        missing = named - await repository.existing_sites(list(named))
        if missing:
            message = f"There is no site {', '.join(map(str, sorted(missing)))}."
            raise InvalidError(errors=[FieldError("/items", "unknown_site", message)])

    @staticmethod
    async def _role(id_or_key: str) -> RoleRow:
        row = await repository.find(id_or_key)
        if row is None:
            wrong = FieldError("/items", "unknown_role", f"There is no role {id_or_key}.")
            raise InvalidError(errors=[wrong])
        return row


def _grants(row: RoleRow, granted: Sequence[str]) -> list[RoleGrantRow]:
    return [RoleGrantRow(id=new_id(), role_id=row.id, permission=code) for code in granted]


def _require_held(principal: Principal, grants: Grants) -> None:
    """Raise unless the principal holds all of this itself."""
    asked: list[tuple[str, UUID | None]] = [(code, None) for code in grants.everywhere]
    asked += [(code, site_id) for site_id, codes in grants.by_site.items() for code in codes]
    lacking = sorted({code for code, site_id in asked if not principal.may(code, site_id)})
    if lacking:
        raise MoreThanHeldError(f"{MoreThanHeldError.message} You lack {', '.join(lacking)}.")

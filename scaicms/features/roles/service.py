"""Use cases of roles."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
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
from scaicms.features.roles.events import RoleCreated, RoleDeleted, RoleGrantsChanged, RolesAssigned, RoleUpdated
from scaicms.features.roles.models import RoleAssignmentRow, RoleGrantRow, RoleRow
from scaicms.features.roles.schemas import Assignment, CreateRole, Grant, UpdateRole
from scaicms.infra import db, lists
from scaicms.infra.db.notices import notify
from scaicms.infra.events import record
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.ids import new_id
from scaicms.kit.permissions import BOUNDS
from scaicms.kit.principal import EVERYTHING, Grants, Principal, Rule
from scaicms.kit.schemas import ListQuery
from scaicms.web.authority import HeldRule

AUTHORITY = "authority"
"""Topic of notices about who may do what; the subject is a user's id, or empty for everybody."""

_VIEWER = "assets:read content:read content:read_drafts content_types:read sites:read taxonomies:read"
_EDITOR = (
    f"{_VIEWER} assets:create assets:update assets:delete content:create content:update content:delete content:publish "
    "content:import search:queues taxonomies:write"
)
_AUTHOR = "assets:read assets:create content:read content:create content_types:read sites:read taxonomies:read"
_OF_OWN = "assets:update assets:delete content:read_drafts content:update content:delete"
BUILT_IN: dict[str, tuple[str, Sequence[Grant]]] = {
    "administrator": ("Administrator", [Grant(permission=EVERYTHING)]),
    "editor": ("Editor", [Grant(permission=code) for code in _EDITOR.split()]),
    "author": (
        "Author",
        [Grant(permission=code) for code in _AUTHOR.split()]
        + [Grant(permission=code, own_only=True) for code in _OF_OWN.split()],
    ),
    "viewer": ("Viewer", [Grant(permission=code) for code in _VIEWER.split()]),
    "public": ("Public", []),
}


class Given(NamedTuple):
    """Roles to be given: role and site ids, and the same in words."""

    places: tuple[tuple[UUID, UUID | None], ...]
    names: tuple[str, ...]


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
                await self._insert(principal, CreateRole(key=key, name=name), granted, built_in=True)

    async def list_roles(self, principal: Principal, query: ListQuery) -> Found[RoleRow]:
        principal.require(permissions.READ.code)
        return await lists.read_models(self.resources, RoleRow, repository.ROLES, query)

    async def first_roles(self, principal: Principal, number: int) -> list[RoleRow]:
        """The first roles by key."""
        principal.require(permissions.READ.code)
        return await lists.first_models(RoleRow, repository.ROLES, number)

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
        self, principal: Principal, id_or_key: str, wanted: Sequence[Grant], *, add: bool
    ) -> list[RoleGrantRow]:
        """Grant exactly these permissions, or these too (`add`)."""
        principal.require(permissions.WRITE.code)
        self._check_grantable(wanted)
        require_covered(principal, [Rule(grant.permission, None, grant.narrowing) for grant in wanted])
        async with db.transaction():
            row = await self.get(principal, id_or_key, lock=True)
            before = await repository.grants(row.id)
            await self._may_change(principal, row)
            after = [_grant_row(row, grant) for grant in wanted]
            await self._replace(principal, row, before, [*before, *after] if add else after)
            return await repository.grants(row.id)

    async def remove_grant(self, principal: Principal, id_or_key: str, grant_id: UUID) -> None:
        principal.require(permissions.WRITE.code)
        async with db.transaction():
            row = await self.get(principal, id_or_key, lock=True)
            await self._may_change(principal, row)
            before = await repository.grants(row.id)
            left = [grant for grant in before if grant.id != grant_id]
            if len(left) == len(before):
                raise GrantNotFoundError
            await self._replace(principal, row, before, left)

    async def assign(
        self, principal: Principal, user_id: UUID, wanted: Sequence[Assignment]
    ) -> list[tuple[str, UUID | None]]:
        """Give a user exactly these roles; takes effect at once in every process."""
        principal.require(permissions.ASSIGN.code)
        async with db.transaction():
            if not await repository.user_exists(user_id):
                raise UnknownUserError
            given = await self.resolve(wanted)
            async with self.keeping_administrators():
                require_covered(principal, (await self.grants_of_user(user_id)).rules())
                require_covered(principal, await repository.rules_of_roles(given.places))
                rows = [
                    RoleAssignmentRow(id=new_id(), user_id=user_id, role_id=role_id, site_id=site_id)
                    for role_id, site_id in given.places
                ]
                await repository.replace_assignments(user_id, rows)
            await record(RolesAssigned(site_id=None, aggregate_id=user_id, roles=given.names), actor=principal)
            await notify(AUTHORITY, str(user_id))
            return await repository.assignments(user_id)

    async def resolve(self, wanted: Sequence[Assignment]) -> Given:
        """The roles and sites that assignments name.

        Raises:
            InvalidError: there is no such role or site.
        """
        named = {item.site_id for item in wanted if item.site_id is not None}
        missing = named - await repository.existing_sites(list(named))
        errors = [
            FieldError(f"/{number}/site_id", "unknown_site", f"There is no site {item.site_id}.")
            for number, item in enumerate(wanted)
            if item.site_id in missing
        ]
        roles = {key: await repository.find(key) for key in {item.role for item in wanted}}
        errors += [
            FieldError(f"/{number}/role", "unknown_role", f"There is no role {item.role}.")
            for number, item in enumerate(wanted)
            if roles[item.role] is None
        ]
        if errors:
            raise InvalidError(errors=errors)
        places = {(role.id, i.site_id): role.key for i in wanted if (role := roles[i.role]) is not None}
        return Given(
            tuple(places),
            tuple(sorted(f"{key}@{site}" if site else key for (_, site), key in places.items())),
        )

    async def own_assignments(self, user_id: UUID) -> list[tuple[str, UUID | None]]:
        """Roles that a user was given in person, for the user: everybody may know their own."""
        return await repository.assignments(user_id)

    async def all_assignments(self, user_id: UUID) -> list[tuple[str, UUID | None]]:
        """The same with those that come through groups."""
        return await repository.all_assignments(user_id)

    async def grants_of_user(self, user_id: UUID) -> Grants:
        """What a user's roles grant now; asked by authentication, which has no principal yet."""
        return Grants.of(held.rule for held in await repository.rules_of_user(user_id))

    async def held_rules(self, user_id: UUID) -> list[HeldRule]:
        """The same with where each rule comes from; for who explains it."""
        return await repository.rules_of_user(user_id)

    async def rules_of_role(self, key: str, site_id: UUID | None) -> list[Rule]:
        """What a role grants now where it is given; for the role of anonymous callers."""
        return await repository.rules_of_role(key, site_id)

    async def rules_of(self, given: Sequence[tuple[UUID, UUID | None]]) -> list[Rule]:
        """What roles, by their ids, grant where they are given."""
        return await repository.rules_of_roles(given)

    async def role_exists(self, key: str) -> bool:
        return await repository.find(key) is not None

    async def forget_site(self, site_id: UUID) -> None:
        """Take away what was given at a site; in the transaction that removes it."""
        await repository.forget_site(site_id)
        await notify(AUTHORITY)

    @asynccontextmanager
    async def keeping_administrators(self) -> AsyncIterator[None]:
        """Around a change in a transaction: refused if it takes away the last active administrator."""
        await repository.lock_administrators()
        before = await repository.active_administrators()
        yield
        if before and not await repository.active_administrators():
            raise LastAdministratorError

    async def _insert(
        self, principal: Principal, new: CreateRole, granted: Sequence[Grant], *, built_in: bool
    ) -> RoleRow:
        now = utcnow()
        row = RoleRow(id=new_id(), built_in=built_in, created_at=now, updated_at=now, **new.model_dump())
        try:
            async with db.transaction():
                await row.save(force_create=True)
                await repository.replace_grants(row.id, [_grant_row(row, grant) for grant in granted])
                await record(RoleCreated(site_id=None, aggregate_id=row.id, key=row.key), actor=principal)
        except IntegrityError:
            raise RoleExistsError from None
        return row

    async def _replace(
        self, principal: Principal, row: RoleRow, before: Sequence[RoleGrantRow], after: Sequence[RoleGrantRow]
    ) -> None:
        old = {_words(grant): grant for grant in before}
        new = {_words(grant): grant for grant in after}
        # A grant that stays keeps its id.
        async with self.keeping_administrators():
            await repository.replace_grants(row.id, [old.get(words, grant) for words, grant in new.items()])
        fact = RoleGrantsChanged(
            site_id=None,
            aggregate_id=row.id,
            key=row.key,
            granted=tuple(sorted(new.keys() - old.keys())),
            revoked=tuple(sorted(old.keys() - new.keys())),
        )
        await record(fact, actor=principal)
        await notify(AUTHORITY)

    @staticmethod
    async def _may_change(principal: Principal, row: RoleRow) -> None:
        """Who holds less than a role grants may not change it either: it could be taken from its holders."""
        require_covered(principal, await repository.rules_of_role(row.key, None))

    def _check_grantable(self, wanted: Sequence[Grant]) -> None:
        """Refuse permissions that nobody declares, and bounds that nothing would enforce."""
        errors = []
        for number, grant in enumerate(wanted):
            known = self._permissions.known.get(grant.permission)
            if known is None and grant.permission != EVERYTHING:
                message = f"Nothing is called {grant.permission}; see GET /permissions."
                errors.append(FieldError(f"/{number}/permission", "unknown_permission", message))
                continue
            bounds = known.bounds if known is not None else ()
            for name in BOUNDS:
                if getattr(grant, name) and name not in bounds:
                    message = f"{grant.permission} cannot be narrowed by {name}."
                    errors.append(FieldError(f"/{number}/{name}", "not_narrowable", message))
        if errors:
            raise InvalidError(errors=errors)


def _grant_row(row: RoleRow, grant: Grant) -> RoleGrantRow:
    bounds = {name: sorted(set(keys)) if keys else None for name, keys in _lists(grant).items()}
    return RoleGrantRow(id=new_id(), role_id=row.id, permission=grant.permission, own_only=grant.own_only, **bounds)


def _lists(grant: Grant) -> dict[str, list[str] | None]:
    return {"content_types": grant.content_types, "locales": grant.locales, "fields": grant.fields}


def _words(grant: RoleGrantRow) -> str:
    """A grant in words, for the log: `content:update content_types=article,page own_only`."""
    lists: dict[str, Any] = {"content_types": grant.content_types, "locales": grant.locales, "fields": grant.fields}
    bounds = [f"{name}={','.join(keys)}" for name, keys in lists.items() if keys is not None]
    return " ".join([grant.permission, *bounds, *(["own_only"] if grant.own_only else [])])


def require_covered(principal: Principal, rules: Iterable[Rule]) -> None:
    """Raise unless the principal holds all of this itself, as far as it reaches."""
    lacking = sorted({rule.permission for rule in rules if not principal.covers(rule)})
    if lacking:
        raise MoreThanHeldError(f"{MoreThanHeldError.message} You lack {', '.join(lacking)}.")

"""Use cases of groups. Whoever changes a group's roles or members gives and takes what the group grants."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record
from tortoise.exceptions import IntegrityError

from scaicms.features.groups import permissions, repository
from scaicms.features.groups.errors import GroupExistsError, GroupNotFoundError, MemberNotFoundError
from scaicms.features.groups.events import (
    GroupCreated,
    GroupDeleted,
    GroupMemberRemoved,
    GroupMembersAdded,
    GroupRolesAssigned,
    GroupUpdated,
)
from scaicms.features.groups.models import GroupRow
from scaicms.features.groups.schemas import CreateGroup, GroupOut, ListGroups, UpdateGroup
from scaicms.features.roles import permissions as role_permissions
from scaicms.features.roles.schemas import Assignment, AssignmentOut
from scaicms.features.roles.service import AUTHORITY, RoleService, require_covered
from scaicms.infra import db, lists
from scaicms.infra.db.notices import notify
from scaicms.infra.events import record
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.ids import new_id
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import ListQuery
from scaicms.kit.schemas import given as sent  # `given` names roles here
from scaicms.kit.slugs import slugify

MANY = 20
"""From so many users on it costs less to forget what is known of everybody."""


class GroupService(Service):
    """Groups of people."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._roles = services.get(RoleService)

    async def list_groups(self, principal: Principal, query: ListGroups) -> Found[GroupOut]:
        principal.require(permissions.READ.code)
        found = await lists.read_models(self.resources, GroupRow, repository.groups(query), query)
        return found.of(await self._shown(found.rows))

    async def get(self, principal: Principal, id_or_key: str) -> GroupOut:
        principal.require(permissions.READ.code)
        return (await self._shown([await self._find(id_or_key)]))[0]

    async def create(self, principal: Principal, new: CreateGroup) -> GroupOut:
        principal.require(permissions.WRITE.code)
        now = utcnow()
        key = new.key or _key_of(new.name)
        row = GroupRow(id=new_id(), key=key, name=new.name, description=new.description, created_at=now, updated_at=now)
        try:
            async with db.transaction():
                await row.save(force_create=True)
                await record(GroupCreated(site_id=None, aggregate_id=row.id, key=key), actor=principal)
        except IntegrityError:
            raise GroupExistsError from None
        return (await self._shown([row]))[0]

    async def update(self, principal: Principal, id_or_key: str, change: UpdateGroup) -> GroupOut:
        principal.require(permissions.WRITE.code)
        async with db.transaction():
            row = await self._find(id_or_key, lock=True)
            row.update_from_dict(sent(change, nullable=frozenset()))
            row.updated_at = utcnow()
            await row.save()
            await record(GroupUpdated(site_id=None, aggregate_id=row.id, key=row.key), actor=principal)
        return (await self._shown([row]))[0]

    async def delete(self, principal: Principal, id_or_key: str) -> None:
        principal.require(permissions.WRITE.code)
        async with db.transaction():
            row = await self._find(id_or_key, lock=True)
            async with self._roles.keeping_administrators():
                await self._require_equal(principal, row)
                await repository.remove(row)
            await record(GroupDeleted(site_id=None, aggregate_id=row.id, key=row.key), actor=principal)
            await notify(AUTHORITY)

    async def members(self, principal: Principal, id_or_key: str, query: ListQuery) -> Found[Record]:
        principal.require(permissions.READ.code)
        group = await self._find(id_or_key)
        return await lists.read_page(self.resources, repository.members(group.id), query)

    async def add_members(self, principal: Principal, id_or_key: str, user_ids: Sequence[UUID]) -> None:
        """Put users into a group; those who are in it already stay as they are.

        Raises:
            InvalidError: one of them does not exist; then nobody is added.
        """
        principal.require(permissions.WRITE.code)
        async with db.transaction():
            row = await self._find(id_or_key, lock=True)
            await self._require_equal(principal, row)
            existing = await repository.existing_users(user_ids)
            errors = [
                FieldError(f"/user_ids/{number}", "unknown_user", f"There is no user {user_id}.")
                for number, user_id in enumerate(user_ids)
                if user_id not in existing
            ]
            if errors:
                raise InvalidError(errors=errors)
            added = tuple(await repository.add_members(row.id, sorted(existing)))
            if added:
                fact = GroupMembersAdded(site_id=None, aggregate_id=row.id, key=row.key, user_ids=added)
                await record(fact, actor=principal)
            for subject in map(str, added) if len(added) <= MANY else [""]:
                await notify(AUTHORITY, subject)

    async def remove_member(self, principal: Principal, id_or_key: str, user_id: UUID) -> None:
        principal.require(permissions.WRITE.code)
        async with db.transaction():
            row = await self._find(id_or_key, lock=True)
            async with self._roles.keeping_administrators():
                await self._require_equal(principal, row)
                if not await repository.remove_member(row.id, user_id):
                    raise MemberNotFoundError
            fact = GroupMemberRemoved(site_id=None, aggregate_id=row.id, key=row.key, user_id=user_id)
            await record(fact, actor=principal)
            await notify(AUTHORITY, str(user_id))

    async def set_roles(
        self, principal: Principal, id_or_key: str, wanted: Sequence[Assignment]
    ) -> list[AssignmentOut]:
        """Give a group exactly these roles; takes effect for its members at once in every process."""
        principal.require(role_permissions.ASSIGN.code)
        async with db.transaction():
            row = await self._find(id_or_key, lock=True)
            given = await self._roles.resolve(wanted)
            async with self._roles.keeping_administrators():
                await self._require_equal(principal, row)
                require_covered(principal, await self._roles.rules_of(given.places))
                await repository.replace_roles(row.id, given.places)
            fact = GroupRolesAssigned(site_id=None, aggregate_id=row.id, key=row.key, roles=given.names)
            await record(fact, actor=principal)
            await notify(AUTHORITY)
            return (await self._shown([row]))[0].roles

    async def _require_equal(self, principal: Principal, row: GroupRow) -> None:
        """Nobody gives or takes by a group what they do not hold."""
        places = [(role["role_id"], role["site_id"]) for role in await repository.roles([row.id])]
        require_covered(principal, await self._roles.rules_of(places))

    @staticmethod
    async def _find(id_or_key: str, *, lock: bool = False) -> GroupRow:
        row = await repository.find(id_or_key, lock=lock)
        if row is None:
            raise GroupNotFoundError
        return row

    @staticmethod
    async def _shown(rows: Sequence[GroupRow]) -> list[GroupOut]:
        shown = {row.id: GroupOut.model_validate(row, from_attributes=True) for row in rows}
        for group_id, members in (await repository.counts(list(shown))).items():
            shown[group_id].members = members
        for role in await repository.roles(list(shown)):
            shown[role["group_id"]].roles.append(AssignmentOut(role=role["key"], site_id=role["site_id"]))
        return list(shown.values())


def _key_of(name: str) -> str:
    key = slugify(name)[:63].strip("-").lstrip("0123456789-")
    if not key:
        wrong = FieldError("/key", "required", "No key can be made from this name; give one.")
        raise InvalidError(errors=[wrong])
    return key

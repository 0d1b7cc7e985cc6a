"""Use cases of users."""

from collections.abc import Callable, Sequence
from uuid import UUID

from limits import RateLimitItemPerMinute
from tortoise.exceptions import IntegrityError

from scaicms.features.roles.schemas import Assignment
from scaicms.features.roles.service import AUTHORITY, RoleService
from scaicms.features.users import permissions, repository
from scaicms.features.users.errors import EmailTakenError, OwnPasswordError, StrongerUserError, UserNotFoundError
from scaicms.features.users.events import UserCreated, UserDeleted, UserUpdated
from scaicms.features.users.models import UserRow
from scaicms.features.users.schemas import CreateUser, ListUsers, UpdateUser, UserDetail
from scaicms.infra import db, lists
from scaicms.infra.db.notices import notify
from scaicms.infra.events import record
from scaicms.infra.limits import RateLimits
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.ids import new_id
from scaicms.kit.passwords import hash_password, verify_password
from scaicms.kit.principal import Principal

OWN_PASSWORD = RateLimitItemPerMinute(5, namespace="own-password-ip")


class UserService(Service):
    """People who can log in."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._roles = services.get(RoleService)
        self._rates = RateLimits(services.resources.redis)

    async def list_users(self, principal: Principal, query: ListUsers) -> Found[UserRow]:
        principal.require(permissions.READ.code)
        return await lists.read_models(self.resources, UserRow, repository.users(query), query)

    async def get(self, principal: Principal, user_id: UUID) -> UserRow:
        principal.require(permissions.READ.code)
        return _found(await repository.find(user_id))

    async def details(self, principal: Principal, rows: Sequence[UserRow]) -> list[UserDetail]:
        """Users with their roles and groups, at the cost of two queries."""
        if not principal.may(permissions.WRITE.code):
            principal.require(permissions.READ.code)
        shown = {row.id: UserDetail.model_validate(row) for row in rows}
        for user_id, role in await repository.roles_of(list(shown)):
            shown[user_id].roles.append(role)
        for user_id, group in await repository.groups_of(list(shown)):
            shown[user_id].groups.append(group)
        return list(shown.values())

    async def create(self, principal: Principal, new: CreateUser) -> UserRow:
        principal.require(permissions.WRITE.code)
        password_hash = await hash_password(new.password)
        now = utcnow()
        row = UserRow(
            id=new_id(),
            password_hash=password_hash,
            created_at=now,
            updated_at=now,
            **new.model_dump(exclude={"password"}),
        )
        try:
            async with db.transaction():
                await row.save(force_create=True)
                await record(UserCreated(site_id=None, aggregate_id=row.id), actor=principal)
        except IntegrityError:
            raise EmailTakenError from None
        return row

    async def update(
        self, principal: Principal, user_id: UUID, change: UpdateUser, *, ip: str, check: Callable[[UserDetail], None]
    ) -> UserRow:
        """Change a user; deactivation and a new password end their sessions at once.

        `check` may refuse the user as it is when we hold it.

        Raises:
            OwnPasswordError: it is the caller's own account, and the change of its address or password comes without
                its password. Attempts are limited as logins are.
        """
        principal.require(permissions.WRITE.code)
        if user_id == principal.author_id and (change.email is not None or change.password is not None):
            await self._require_own_password(user_id, change, ip)
        password_hash = await hash_password(change.password) if change.password is not None else None
        try:
            async with db.transaction():
                row = _found(await repository.find(user_id, lock=True))
                await self._require_equal(principal, row)
                check(*await self.details(principal, [row]))
                row.update_from_dict(
                    change.model_dump(exclude={"password", "current_password"}, exclude_unset=True, exclude_none=True)
                )
                if password_hash is not None:
                    row.password_hash = password_hash
                row.updated_at = utcnow()
                async with self._roles.keeping_administrators():
                    await row.save()
                if password_hash is not None or change.is_active is False:
                    await self._end_sessions(row.id)
                changed = tuple(sorted(change.model_fields_set - {"current_password"}))
                await record(UserUpdated(site_id=None, aggregate_id=row.id, changed=changed), actor=principal)
                await notify(AUTHORITY, str(row.id))
        except IntegrityError:
            raise EmailTakenError from None
        return row

    async def delete(self, principal: Principal, user_id: UUID) -> None:
        principal.require(permissions.WRITE.code)
        async with db.transaction():
            row = _found(await repository.find(user_id, lock=True))
            await self._require_equal(principal, row)
            await self._end_sessions(row.id)
            async with self._roles.keeping_administrators():
                await repository.remove(row)
            await record(UserDeleted(site_id=None, aggregate_id=row.id), actor=principal)
            await notify(AUTHORITY, str(row.id))

    async def ensure_administrator(self, principal: Principal, email: str, password: str) -> bool:
        """Make the first administrator; False when somebody has that address already."""
        if await repository.find_by_email(email) is not None:
            return False
        new = CreateUser(email=email, name="Administrator", password=password)
        async with db.transaction():
            user = await self.create(principal, new)
            await self._roles.assign(principal, user.id, [Assignment(role="administrator")])
        return True

    async def by_email(self, email: str) -> UserRow | None:
        """For authentication, which has no principal yet."""
        return await repository.find_by_email(email)

    async def by_id(self, user_id: UUID) -> UserRow | None:
        """For authentication, which has no principal yet."""
        return await repository.find(user_id)

    async def _require_own_password(self, user_id: UUID, change: UpdateUser, ip: str) -> None:
        row = _found(await repository.find(user_id))
        if change.password is None and change.email == row.email:
            return
        if change.current_password is None:
            raise OwnPasswordError
        await self._rates.take(OWN_PASSWORD, str(user_id))
        await self._rates.take_address(OWN_PASSWORD, ip)
        if not await verify_password(row.password_hash, change.current_password):
            raise OwnPasswordError

    @staticmethod
    async def _end_sessions(user_id: UUID) -> None:
        await db.execute("UPDATE sessions SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL", user_id)

    async def _require_equal(self, principal: Principal, row: UserRow) -> None:
        """Who could change a stronger user's password could become them."""
        if not all(map(principal.covers, (await self._roles.grants_of_user(row.id)).rules())):
            raise StrongerUserError


def _found(row: UserRow | None) -> UserRow:
    if row is None:
        raise UserNotFoundError
    return row

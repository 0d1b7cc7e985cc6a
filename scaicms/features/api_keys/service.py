"""Use cases of API keys."""

import hashlib
import secrets
from uuid import UUID

from scaicms.features.api_keys import permissions, repository
from scaicms.features.api_keys.errors import ApiKeyNotFoundError, MoreThanHeldError, OnlyPeopleError
from scaicms.features.api_keys.events import ApiKeyCreated, ApiKeyRevoked, ApiKeyUpdated
from scaicms.features.api_keys.models import ApiKeyRow
from scaicms.features.api_keys.schemas import CreateApiKey, UpdateApiKey
from scaicms.features.permissions.service import PermissionService
from scaicms.features.roles.service import AUTHORITY
from scaicms.infra import db
from scaicms.infra.db.notices import notify
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.ids import new_id
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import given

KEY_PREFIX = "scai_"
KEY_BYTES = 32
SHOWN_CHARACTERS = 12


class ApiKeyService(Service):
    """Keys for programs. A key may do what it names, as far as its owner may do it now."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._permissions = services.get(PermissionService)

    async def list_keys(self, principal: Principal, *, limit: int, offset: int) -> tuple[list[ApiKeyRow], int]:
        principal.require(permissions.MANAGE.code)
        return await repository.list_keys(_owner(principal), limit=limit, offset=offset)

    async def get(self, principal: Principal, key_id: UUID, *, lock: bool = False) -> ApiKeyRow:
        principal.require(permissions.MANAGE.code)
        row = await repository.find(key_id, _owner(principal), lock=lock)
        if row is None:
            raise ApiKeyNotFoundError
        return row

    async def create(self, principal: Principal, new: CreateApiKey) -> tuple[ApiKeyRow, str]:
        """A new key and, this once, its text."""
        principal.require(permissions.MANAGE.code)
        if principal.kind != "user" or principal.id is None:
            raise OnlyPeopleError
        self._check(principal, new)
        key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        now = utcnow()
        row = ApiKeyRow(
            id=new_id(),
            prefix=key[:SHOWN_CHARACTERS],
            digest=digest_of(key),
            owner_id=principal.id,
            created_at=now,
            updated_at=now,
            **new.model_dump(exclude={"site_ids"}),
            site_ids=[str(site_id) for site_id in new.site_ids] if new.site_ids is not None else None,
        )
        async with db.transaction():
            await row.save(force_create=True)
            await record(ApiKeyCreated(site_id=None, aggregate_id=row.id, prefix=row.prefix), actor=principal)
        return row, key

    async def update(self, principal: Principal, key_id: UUID, change: UpdateApiKey) -> ApiKeyRow:
        async with db.transaction():
            row = await self.get(principal, key_id, lock=True)
            row.update_from_dict(given(change, nullable={"expires_at"}))
            row.updated_at = utcnow()
            await row.save()
            await record(ApiKeyUpdated(site_id=None, aggregate_id=row.id, prefix=row.prefix), actor=principal)
            await notify(AUTHORITY, str(row.id))
        return row

    async def revoke(self, principal: Principal, key_id: UUID) -> None:
        """End a key at once, in every process."""
        async with db.transaction():
            row = await self.get(principal, key_id, lock=True)
            row.revoked_at = row.updated_at = utcnow()
            await row.save()
            await record(ApiKeyRevoked(site_id=None, aggregate_id=row.id, prefix=row.prefix), actor=principal)
            await notify(AUTHORITY, str(row.id))

    async def by_key(self, key: str) -> ApiKeyRow | None:
        """For authentication, which has no principal yet."""
        return await repository.find_by_digest(digest_of(key))

    async def by_id(self, key_id: UUID) -> ApiKeyRow | None:
        """For work that a key asked for."""
        return await repository.find(key_id, None)

    def _check(self, principal: Principal, new: CreateApiKey) -> None:
        unknown = self._permissions.unknown(new.permissions)
        if unknown:
            message = f"Nothing is called {', '.join(unknown)}; see GET /permissions."
            raise InvalidError(errors=[FieldError("/permissions", "unknown_permission", message)])
        places: list[UUID | None] = list(new.site_ids) if new.site_ids is not None else [None]
        lacking = sorted({code for code in new.permissions for site in places if not principal.may(code, site)})
        if lacking:
            raise MoreThanHeldError(f"{MoreThanHeldError.message} You lack {', '.join(lacking)}.")


def digest_of(key: str) -> str:
    """What is stored: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


def _owner(principal: Principal) -> UUID | None:
    """Whose keys the caller sees: their own, or everybody's with `users:write`."""
    if principal.may("users:write"):
        return None
    if principal.kind != "user" or principal.id is None:
        raise OnlyPeopleError
    return principal.id

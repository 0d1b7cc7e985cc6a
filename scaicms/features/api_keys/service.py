"""Use cases of API keys."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from scaicms.features.api_keys import permissions, repository
from scaicms.features.api_keys.errors import (
    AddressNotAllowedError,
    ApiKeyNotFoundError,
    MoreThanHeldError,
    OnlyOwnerError,
    OnlyPeopleError,
)
from scaicms.features.api_keys.events import ApiKeyCreated, ApiKeyRevoked, ApiKeyRotated, ApiKeyUpdated
from scaicms.features.api_keys.limits import KeyLimits
from scaicms.features.api_keys.models import ApiKeyRow
from scaicms.features.api_keys.schemas import ApiKeyOut, CreateApiKey, RotateApiKey, UpdateApiKey
from scaicms.features.api_keys.usage import KeyUsage
from scaicms.features.permissions.service import PermissionService
from scaicms.features.roles.service import AUTHORITY
from scaicms.infra import db, lists
from scaicms.infra.db.notices import notify
from scaicms.infra.events import record
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.ids import new_id
from scaicms.kit.networks import Network, is_within
from scaicms.kit.principal import EVERYTHING, Principal, Rule
from scaicms.kit.schemas import ListQuery, given

KEY_PREFIX = "scai_"
KEY_BYTES = 32
SHOWN_CHARACTERS = 12


class ApiKeyService(Service):
    """Keys for programs. A key may do what it names, as far as its owner may do it now."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._permissions = services.get(PermissionService)
        self._limits = KeyLimits(services.resources.redis)
        self.usage = KeyUsage()

    async def list_keys(self, principal: Principal, query: ListQuery) -> Found[ApiKeyOut]:
        principal.require(permissions.MANAGE.code)
        found = await lists.read_models(self.resources, ApiKeyRow, repository.keys(_owner(principal)), query)
        return found.of(await _shown(found.rows))

    async def get(self, principal: Principal, key_id: UUID) -> ApiKeyOut:
        principal.require(permissions.MANAGE.code)
        return (await _shown([await self._find(principal, key_id)]))[0]

    async def create(self, principal: Principal, new: CreateApiKey) -> tuple[ApiKeyOut, str]:
        """A new key and, this once, its text."""
        principal.require(permissions.MANAGE.code)
        if principal.kind != "user" or principal.id is None:
            raise OnlyPeopleError
        self._check(principal, new.permissions, new.site_ids)
        key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        now = utcnow()
        row = ApiKeyRow(
            id=new_id(),
            prefix=key[:SHOWN_CHARACTERS],
            digest=digest_of(key),
            owner_id=principal.id,
            created_at=now,
            updated_at=now,
            **_columns(new.model_dump()),
        )
        async with db.transaction():
            await row.save(force_create=True)
            await record(ApiKeyCreated(site_id=None, aggregate_id=row.id, prefix=row.prefix), actor=principal)
        return (await _shown([row]))[0], key

    async def update(self, principal: Principal, key_id: UUID, change: UpdateApiKey) -> ApiKeyOut:
        """Change a key of one's own, within what one holds."""
        principal.require(permissions.MANAGE.code)
        changed = given(change, nullable={"site_ids", "expires_at", "allowed_ips"})
        async with db.transaction():
            row = await self._own(principal, key_id)
            row.update_from_dict(_columns(changed))
            if changed.keys() & {"permissions", "site_ids"}:
                site_ids: Any = row.site_ids
                codes: Any = row.permissions
                self._check(principal, codes, None if site_ids is None else [UUID(site) for site in site_ids])
            row.updated_at = utcnow()
            await row.save()
            fact = ApiKeyUpdated(site_id=None, aggregate_id=row.id, prefix=row.prefix, changed=tuple(sorted(changed)))
            await record(fact, actor=principal)
            await notify(AUTHORITY, str(row.id))
        return (await _shown([row]))[0]

    async def rotate(self, principal: Principal, key_id: UUID, wanted: RotateApiKey) -> tuple[ApiKeyOut, str]:
        """A new text for a key of one's own; the old one works for a while yet, if it is given one."""
        principal.require(permissions.MANAGE.code)
        key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        async with db.transaction():
            row = await self._own(principal, key_id)
            if row.revoked_at is not None:
                raise ApiKeyNotFoundError
            now = utcnow()
            graced = wanted.grace_seconds > 0
            row.previous_digest = row.digest if graced else None
            row.previous_until = now + timedelta(seconds=wanted.grace_seconds) if graced else None
            row.prefix, row.digest, row.updated_at = key[:SHOWN_CHARACTERS], digest_of(key), now
            await row.save()
            fact = ApiKeyRotated(
                site_id=None, aggregate_id=row.id, prefix=row.prefix, grace_seconds=wanted.grace_seconds
            )
            await record(fact, actor=principal)
            await notify(AUTHORITY, str(row.id))
        return (await _shown([row]))[0], key

    async def revoke(self, principal: Principal, key_id: UUID) -> None:
        """End a key at once, in every process."""
        principal.require(permissions.MANAGE.code)
        async with db.transaction():
            row = await self._find(principal, key_id, lock=True)
            if row.revoked_at is None:
                row.revoked_at = row.updated_at = utcnow()
                await row.save()
            await record(ApiKeyRevoked(site_id=None, aggregate_id=row.id, prefix=row.prefix), actor=principal)
            await notify(AUTHORITY, str(row.id))

    async def by_key(self, key: str) -> tuple[ApiKeyRow, float] | None:
        """For authentication, which has no principal yet: the key that this text is, and until when (Unix seconds)."""
        digest = digest_of(key)
        row = await repository.find_by_digest(digest)
        if row is None or row.revoked_at is not None:
            return None
        ends = [row.expires_at] if row.digest == digest else [row.expires_at, row.previous_until]
        return row, min((end.timestamp() for end in ends if end is not None), default=float("inf"))

    async def by_id(self, key_id: UUID) -> tuple[ApiKeyRow, float] | None:
        """For work that a key asked for."""
        row = await repository.find(key_id, None)
        if row is None or row.revoked_at is not None:
            return None
        return row, row.expires_at.timestamp() if row.expires_at is not None else float("inf")

    async def row(self, key_id: UUID) -> ApiKeyRow | None:
        """A key whatever became of it; for who explains what it may do."""
        return await repository.find(key_id, None)

    async def admit(self, key_id: UUID, per_minute: int, networks: tuple[Network, ...] | None, ip: str) -> None:
        """Count one request of a key that was recognised.

        Raises:
            AddressNotAllowedError: it comes from outside the key's networks.
            TooManyRequestsError: the key has made `per_minute` requests in the last minute.
        """
        self.require_network(networks, ip)
        await self._limits.take(key_id, per_minute)
        self.usage.count(key_id)

    @staticmethod
    def require_network(networks: tuple[Network, ...] | None, ip: str) -> None:
        """Raise AddressNotAllowedError unless the address is in the networks of a key."""
        if networks is not None and not is_within(ip, networks):
            raise AddressNotAllowedError

    async def _find(self, principal: Principal, key_id: UUID, *, lock: bool = False) -> ApiKeyRow:
        row = await repository.find(key_id, _owner(principal), lock=lock)
        if row is None:
            raise ApiKeyNotFoundError
        return row

    async def _own(self, principal: Principal, key_id: UUID) -> ApiKeyRow:
        """A key that the caller made: who could rotate a stronger user's key could become them."""
        if principal.kind != "user":
            raise OnlyPeopleError
        row = await self._find(principal, key_id, lock=True)
        if row.owner_id != principal.id:
            raise OnlyOwnerError
        return row

    def _check(self, principal: Principal, codes: Sequence[str], site_ids: Sequence[UUID] | None) -> None:
        unknown = self._permissions.unknown(codes)
        errors = [
            FieldError("/permissions", "unknown_permission", f"Nothing is called {code}; see GET /permissions.")
            for code in unknown
        ]
        known = self._permissions.known
        if site_ids is not None:
            message = "{} is held for the whole installation; a key that is limited to sites cannot have it."
            errors += [
                FieldError("/permissions", "global_permission", message.format(code))
                for code in codes
                if code in known and known[code].scope == "global"
            ]
        if errors:
            raise InvalidError(errors=errors)
        places: list[UUID | None] = list(site_ids) if site_ids is not None else [None]
        lacking = sorted({code for code in codes for site in places if not principal.may(code, site)})
        if lacking:
            raise MoreThanHeldError(f"{MoreThanHeldError.message} You lack {', '.join(lacking)}.")


async def _shown(rows: Sequence[ApiKeyRow]) -> list[ApiKeyOut]:
    """Keys as they are shown, with how often they were used."""
    requests = await repository.requests_24h([row.id for row in rows])
    shown = [ApiKeyOut.model_validate(row) for row in rows]
    return [key.model_copy(update={"requests_24h": requests.get(key.id, 0)}) for key in shown]


def _columns(given: dict[str, Any]) -> dict[str, Any]:
    """Values as they are stored: ids and networks as texts."""
    texts: dict[str, Any] = {
        name: [str(item) for item in given[name]] if given[name] is not None else None
        for name in ("site_ids", "allowed_ips")
        if name in given
    }
    return {**given, **texts}


def within_key(rules: Sequence[Rule], permissions: Sequence[str], site_ids: frozenset[UUID] | None) -> list[Rule]:
    """Of what the owner holds, what a key with these permissions has; at these sites alone if they are named."""
    held: list[Rule] = []
    for rule in rules:
        if rule.permission == EVERYTHING:
            held += [rule._replace(permission=code) for code in permissions]
        elif rule.permission in permissions or EVERYTHING in permissions:
            held.append(rule)
    if site_ids is None:
        return held
    there = [rule for rule in held if rule.site_id in site_ids]
    return there + [rule._replace(site_id=site) for rule in held if rule.site_id is None for site in site_ids]


def digest_of(key: str) -> str:
    """What is stored: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _owner(principal: Principal) -> UUID | None:
    """Whose keys the caller sees: their own, or everybody's with `users:write`."""
    if principal.may("users:write"):
        return None
    if principal.kind != "user" or principal.id is None:
        raise OnlyPeopleError
    return principal.id

"""From an Authorization header to a principal. Warm answers come from the process, without SQL or cryptography.

What is kept is dropped by notices on the topic `authority`, which the transaction of every change sends.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any, NamedTuple
from uuid import UUID

from scaicms.features.api_keys.models import ApiKeyRow
from scaicms.features.api_keys.service import KEY_PREFIX, ApiKeyService, within_key
from scaicms.features.auth import repository, tokens
from scaicms.features.auth.errors import BadKeyError, BadTokenError
from scaicms.features.roles.service import AUTHORITY, RoleService
from scaicms.features.sites.service import TOPIC as SITES
from scaicms.features.users.service import UserService
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import unix_now
from scaicms.kit.errors import UnauthorizedError
from scaicms.kit.networks import Network
from scaicms.kit.principal import ANONYMOUS, SYSTEM, Grants, Principal
from scaicms.kit.sites import Site

MAX_KEPT = 10_000


class _Gate(NamedTuple):
    """What an API key is limited by: requests a minute, networks (None is anywhere)."""

    per_minute: int
    networks: tuple[Network, ...] | None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A principal until `expires_at` (Unix seconds); notices about any of `subjects` drop it."""

    principal: Principal
    expires_at: float
    subjects: frozenset[str]
    gate: _Gate | None = None


class Authenticator(Service):
    """Implements `scaicms.web.ports.Authenticator`."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._users = services.get(UserService)
        self._roles = services.get(RoleService)
        self._keys = services.get(ApiKeyService)
        self._secret = services.resources.settings.secret.get_secret_value()
        self._kept: OrderedDict[tuple[bytes, UUID | None], _Kept] = OrderedDict()
        self._public: dict[tuple[UUID, str], Principal] = {}
        self._generation = 0
        self._notices = services.resources.notices
        self._notices.subscribe(AUTHORITY, self._forget)
        # A site says which role its anonymous callers have, and everybody else beside their own.
        self._notices.subscribe(SITES, lambda _: self._forget(None))

    async def authenticate(self, authorization: str | None, site: Site | None, ip: str) -> Principal:
        """Who calls, with what everybody may at the site added. Requests of API keys are counted."""
        if authorization is None:
            return await self._anonymous(site)
        kept = await self._find(authorization, site)
        if kept.gate is not None and kept.principal.id is not None:
            await self._keys.admit(kept.principal.id, *kept.gate, ip)
        return kept.principal

    async def authenticate_again(self, authorization: str | None, site: Site | None, ip: str) -> Principal:
        """The caller of a request that is being answered, with the rights of this moment. It counts no request."""
        if authorization is None:
            return await self._anonymous(site)
        kept = await self._find(authorization, site)
        if kept.gate is not None:
            self._keys.require_network(kept.gate.networks, ip)
        return kept.principal

    async def _find(self, authorization: str, site: Site | None) -> _Kept:
        scheme, _, credential = authorization.partition(" ")
        if scheme.lower() != "bearer" or not credential:
            raise UnauthorizedError(
                "Send Authorization: Bearer, with an access token or an API key.", code="bad_scheme"
            )
        place = (
            hashlib.sha256(credential.encode("utf-8", "surrogateescape")).digest(),
            site.id if site else None,
        )
        kept = self._kept.get(place)
        # Rights are read again on each request while changes of them would not be heard of.
        if kept is None or kept.expires_at <= unix_now() or not self._notices.is_listening:
            kept = await self._learn(place, credential, site)
        return kept

    async def _learn(self, place: tuple[bytes, UUID | None], credential: str, site: Site | None) -> _Kept:
        generation = self._generation
        fresh = await self._recognise(credential)
        if site is not None:
            everybody = (await self._anonymous(site)).grants
            fresh = replace(fresh, principal=replace(fresh.principal, grants=_both(fresh.principal.grants, everybody)))
        # What changed while we were asking may be what we were told: do not keep it.
        if generation == self._generation and self._notices.is_listening:
            self._kept[place] = fresh
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return fresh

    async def principal_of(self, kind: str, principal_id: UUID | None) -> Principal:
        """Who asked for a job, with the rights they have now.

        Raises:
            UnauthorizedError: the account or key is gone or deactivated.
        """
        if kind == "system":
            return SYSTEM
        if principal_id is not None and kind == "user":
            return await self._user(principal_id, None)
        if principal_id is not None and kind == "api_key":
            return (await self._key_principal(await self._keys.by_id(principal_id))).principal
        raise BadTokenError

    async def _recognise(self, credential: str) -> _Kept:
        if not credential.isascii():  # What is no UTF-8 in a header comes as surrogates, which nothing encodes.
            raise BadTokenError
        if credential.startswith(KEY_PREFIX):
            return await self._key_principal(await self._keys.by_key(credential))
        claims = tokens.read(self._secret, credential, leeway=self.resources.settings.clock_leeway_seconds)
        if claims is None or await repository.active_session(claims.session_id) is None:
            raise BadTokenError
        principal = await self._user(claims.user_id, claims.session_id)
        subjects = frozenset({str(claims.user_id), str(claims.session_id)})
        return _Kept(principal, claims.expires_at, subjects)

    async def _user(self, user_id: UUID, session_id: UUID | None) -> Principal:
        user = await self._users.by_id(user_id)
        if user is None or not user.is_active:
            raise BadTokenError
        grants = await self._roles.grants_of_user(user.id)
        return Principal(kind="user", id=user.id, name=f"user:{user.id}", grants=grants, session_id=session_id)

    async def _key_principal(self, found: tuple[ApiKeyRow, float] | None) -> _Kept:
        if found is None:
            raise BadKeyError
        row, expires_at = found
        owner = await self._users.by_id(row.owner_id)
        if expires_at <= unix_now() or owner is None or not owner.is_active:
            raise BadKeyError
        permissions: Any = row.permissions  # JSON columns, written by ApiKeyService
        site_ids: Any = row.site_ids
        networks: Any = row.allowed_ips
        sites = frozenset(map(UUID, site_ids)) if site_ids is not None else None
        principal = Principal(
            kind="api_key",
            id=row.id,
            name=f"api_key:{row.prefix}",
            grants=Grants.of(within_key((await self._roles.grants_of_user(owner.id)).rules(), permissions, sites)),
            site_ids=sites,
            owner_id=owner.id,
        )
        gate = _Gate(row.rate_limit, tuple(map(ip_network, networks)) if networks is not None else None)
        return _Kept(principal, expires_at, frozenset({str(row.id), str(row.owner_id)}), gate)

    async def _anonymous(self, site: Site | None) -> Principal:
        if site is None:
            return ANONYMOUS
        place = (site.id, site.public_role)
        known = self._public.get(place)
        if known is not None and self._notices.is_listening:
            return known
        generation = self._generation
        reader = replace(ANONYMOUS, grants=Grants.of(await self._roles.rules_of_role(site.public_role, site.id)))
        if generation == self._generation and self._notices.is_listening:
            self._public[place] = reader
        return reader

    def _forget(self, subject: str | None) -> None:
        self._generation += 1
        if subject is None:
            self._kept.clear()
            self._public.clear()
            return
        for place in [place for place, kept in self._kept.items() if subject in kept.subjects]:
            del self._kept[place]


def _both(own: Grants, everybody: Grants) -> Grants:
    return Grants.of([*own.rules(), *everybody.rules()])

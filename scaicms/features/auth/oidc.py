"""Use cases of logging in by an OpenID provider: authorization code with PKCE, bound to the browser that began it."""

import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from scaicms.features.auth import repository, sessions
from scaicms.features.auth.errors import (
    OidcNoAccountError,
    OidcNotFoundError,
    OidcRefusedError,
    OidcUnavailableError,
    OtpRequiredError,
)
from scaicms.features.auth.limits import LoginLimits
from scaicms.features.auth.models import IdentityRow
from scaicms.features.auth.oidc_roles import GroupRoles, groups_in
from scaicms.features.auth.schemas import OidcCallback
from scaicms.features.auth.sessions import Entered, Origin
from scaicms.features.users.models import UserRow
from scaicms.features.users.schemas import CreateUser
from scaicms.features.users.service import UserService
from scaicms.infra import db
from scaicms.infra.http import HttpClient, Reach
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.clock import unix_now, utcnow
from scaicms.kit.crypto import derive_key, seal, unseal
from scaicms.kit.emails import normalise_email
from scaicms.kit.ids import new_id
from scaicms.kit.principal import SYSTEM
from scaicms.settings import OidcProvider

if TYPE_CHECKING:
    from scaicms.features.auth.oidc_provider import Provider

LOGIN_SECONDS = 600
CALLBACK = "/api/v1/auth/oidc/{}/callback"
# RFC 8176: what a provider says when it saw more than a password.
SECOND_FACTORS = frozenset({"mfa", "otp", "hwk", "swk", "sc", "fpt", "face"})


@dataclass(frozen=True, slots=True)
class Pending:
    """A login that has begun, kept by the browser alone, sealed. `expires_at` in seconds of Unix time."""

    provider: str
    state: str
    nonce: str
    verifier: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and what it must bring back."""

    url: str
    cookie: str


class OidcService(Service):
    """Logging in by the providers of the settings."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        settings = services.resources.settings
        self._users = services.get(UserService)
        self._roles = services.get(GroupRoles)
        self._limits = services.get(LoginLimits)
        self._key = derive_key(settings.secret.get_secret_value(), "oidc")
        self._providers = {config.key: _speaking_to(config, settings.env) for config in settings.oidc}

    def providers(self) -> list[OidcProvider]:
        return [provider.config for provider in self._providers.values()]

    async def begin(self, key: str, *, ip: str) -> Begun:
        """Send the browser to the provider.

        Raises:
            OidcNotFoundError: no provider has this key.
            OidcUnavailableError: it cannot be reached.
        """
        provider = self._provider(key)
        await self._limits.count_address(ip)
        expires_at = unix_now() + LOGIN_SECONDS
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        pending = Pending(key, state, nonce, verifier, expires_at)
        url = await provider.authorization_url(
            state=state,
            nonce=nonce,
            verifier=verifier,
            redirect_uri=self._redirect_uri(provider.config),
        )
        sealed = seal(self._key, json.dumps(asdict(pending)), "login")
        return Begun(url, base64.urlsafe_b64encode(sealed).decode())

    async def finish(self, key: str, answer: OidcCallback, cookie: str | None, origin: Origin) -> Entered:
        """Exchange what the provider sent the browser back with for tokens of ours.

        Raises:
            OidcRefusedError: this browser did not begin this login, or the provider does not vouch for it.
            OidcNoAccountError: the provider's user may not become one of ours.
            OtpRequiredError: the account has a second factor that the provider did not ask for.
        """
        provider = self._provider(key)
        await self._limits.count_address(origin.ip)
        pending = self._pending(key, answer, cookie)
        if answer.iss not in (None, provider.config.issuer) or answer.code is None:
            raise OidcRefusedError
        claims = await provider.claims(
            answer.code,
            nonce=pending.nonce,
            verifier=pending.verifier,
            redirect_uri=self._redirect_uri(provider.config),
        )
        return await self._enter(provider.config, claims, origin)

    async def _enter(self, config: OidcProvider, claims: Mapping[str, Any], origin: Origin) -> Entered:
        async with db.transaction():
            await repository.lock_identity(config.issuer, claims["sub"])
            identity = await repository.find_identity(config.issuer, claims["sub"])
            user_id = identity.user_id if identity is not None else (await self._adopt(config, claims)).id
            user = await repository.lock_user(user_id)
            if user is None or not user.is_active:
                raise OidcNoAccountError("The account is deactivated.")
            if await repository.confirmed_totp(user.id) is not None and not _saw_second_factor(config, claims):
                raise OtpRequiredError
            await self._roles.follow(config, user, groups_in(claims, config.group_claim))
            return await sessions.open_session(self.resources.settings, user, origin, method=f"oidc:{config.key}")

    async def _adopt(self, config: OidcProvider, claims: Mapping[str, Any]) -> UserRow:
        """The account of somebody who comes for the first time: theirs already by address, or a new one."""
        email = _verified_email(config, claims)
        user = await self._users.by_email(email)
        if user is not None and not config.link_by_email:
            raise OidcNoAccountError("There is an account with this address already; log in to it with its password.")
        if user is None:
            if not config.create_users:
                raise OidcNoAccountError("There is no account for you here; ask for an invitation.")
            name = str(claims.get("name") or claims.get("preferred_username") or email)[:200]
            # A password that nobody knows, until a reset sets one.
            new = CreateUser(email=email, name=name, password=secrets.token_urlsafe(48))
            user = await self._users.create(SYSTEM, new)
        row = IdentityRow(
            id=new_id(), issuer=config.issuer, subject=claims["sub"], user_id=user.id, created_at=utcnow()
        )
        await row.save(force_create=True)
        return user

    def _provider(self, key: str) -> "Provider":
        provider = self._providers.get(key)
        if provider is None:
            raise OidcNotFoundError
        return provider

    def _redirect_uri(self, config: OidcProvider) -> str:
        base = self.resources.settings.link_base
        if config.redirect_uri is None and base is None:
            raise OidcUnavailableError
        return config.redirect_uri or f"{base}{CALLBACK.format(config.key)}"

    def _pending(self, key: str, answer: OidcCallback, cookie: str | None) -> Pending:
        """The login that this browser began here: otherwise anybody could log others in as themselves."""
        try:
            opened = unseal(self._key, base64.urlsafe_b64decode(cookie or ""), "login")
        except ValueError:
            opened = None
        if opened is None:
            raise OidcRefusedError
        pending = Pending(**json.loads(opened))
        same = hmac.compare_digest(pending.state.encode(), (answer.state or "").encode())
        if not same or pending.provider != key or pending.expires_at < unix_now():
            raise OidcRefusedError
        return pending


def _speaking_to(config: OidcProvider, env: str) -> "Provider":
    """Named, not imported: who has no provider needs none of its libraries."""
    kind: type[Provider] = resolve_name("scaicms.features.auth.oidc_provider:Provider")
    return kind(config, HttpClient(), _reach(config, env))


def _reach(config: OidcProvider, env: str) -> Reach:
    if env != "production":
        return Reach.LOOPBACK
    return Reach.PRIVATE if config.allow_private else Reach.PUBLIC


def _saw_second_factor(config: OidcProvider, claims: Mapping[str, Any]) -> bool:
    methods = claims.get("amr")
    said = isinstance(methods, list) and not SECOND_FACTORS.isdisjoint(
        item for item in methods if isinstance(item, str)
    )
    return config.second_factor or said


def _verified_email(config: OidcProvider, claims: Mapping[str, Any]) -> str:
    try:
        email = normalise_email(str(claims.get("email") or ""))
    except ValueError:
        raise OidcNoAccountError("The login provider does not tell your e-mail address.") from None
    if claims.get("email_verified") is not True and not config.trust_email:
        raise OidcNoAccountError("The login provider has not verified your e-mail address.")
    return email

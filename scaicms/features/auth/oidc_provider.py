"""Speaking to one OpenID provider: discovery, keys, the code for tokens (OpenID Connect Core 1.0 §3.1)."""

import asyncio
import base64
import time
from typing import Any
from urllib.parse import quote_plus, urlsplit

import structlog
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from scaicms.features.auth.errors import OidcRefusedError, OidcUnavailableError
from scaicms.infra.http import HttpClient, OutboundError, Reach
from scaicms.kit import json
from scaicms.kit.clock import unix_now
from scaicms.settings import OidcProvider

# Asymmetric alone: a key that everybody can read must not verify an HMAC.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
LEEWAY_SECONDS = 60
FRESH_SECONDS = 3600.0
AGAIN_SECONDS = 30.0
JSON = {"Accept": "application/json"}
log = structlog.get_logger(__name__)


class Provider:
    """One configured provider, with what it publishes kept for an hour."""

    def __init__(self, config: OidcProvider, http: HttpClient, reach: Reach) -> None:
        self.config = config
        self._http = http
        self._reach = reach
        self._lock = asyncio.Lock()
        self._metadata: dict[str, Any] = {}
        self._keys = KeySet([])
        self._fetched = float("-inf")
        self._asked = float("-inf")

    async def authorization_url(self, *, state: str, nonce: str, verifier: str, redirect_uri: str) -> str:
        """Where to send somebody: a code, bound to this login by state, nonce and PKCE (RFC 7636)."""
        metadata, _ = await self._published()
        return str(
            prepare_grant_uri(
                metadata["authorization_endpoint"],
                self.config.client_id,
                "code",
                redirect_uri=redirect_uri,
                scope=list(self.config.scopes),
                state=state,
                nonce=nonce,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
            )
        )

    async def claims(self, code: str, *, nonce: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """What the provider says of whoever brought the code: the ID token, checked, and the user info beside it.

        Raises:
            OidcRefusedError: the provider refuses the code, or its token is not for us and for this login.
            OidcUnavailableError: it cannot be reached or answers nonsense.
        """
        metadata, _ = await self._published()
        fields = {"code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
        tokens = await self._exchange(metadata, fields)
        claims = await self._verified(str(tokens.get("id_token", "")), nonce, tokens.get("access_token"))
        if "userinfo_endpoint" in metadata and tokens.get("access_token"):
            authorization = {"Authorization": f"Bearer {tokens['access_token']}"}
            info = await self._json("GET", metadata["userinfo_endpoint"], headers=authorization)
            # Core §5.3.2: of another subject it is somebody else's.
            if info.get("sub") != claims["sub"]:
                raise OidcRefusedError
            claims = {**info, **claims}
        return claims

    async def _exchange(self, metadata: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        secret = self.config.client_secret.get_secret_value()
        methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if secret and "client_secret_basic" in methods:
            pair = f"{quote_plus(self.config.client_id)}:{quote_plus(secret)}"  # RFC 6749 §2.3.1
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            fields = {**fields, "client_id": self.config.client_id, "client_secret": secret}
        body = prepare_token_request("authorization_code", **fields)
        return await self._json("POST", metadata["token_endpoint"], headers=headers, data=body.encode())

    async def _verified(self, id_token: str, nonce: str, access_token: object) -> dict[str, Any]:
        _, keys = await self._published()
        try:
            token = jwt.decode(id_token, keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # Perhaps by a key that is newer than what we know.
            _, keys = await self._published(again=True)
            try:
                token = jwt.decode(id_token, keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError) as error:
                raise self._refused(error) from None
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": self.config.issuer},
                "aud": {"essential": True, "value": self.config.client_id},
            },
            params={"nonce": nonce, "client_id": self.config.client_id, "access_token": access_token},
        )
        try:
            claims.validate(now=int(unix_now()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError) as error:
            raise self._refused(error) from None
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:  # Core §2
            raise OidcRefusedError
        return dict(claims)

    def _refused(self, error: Exception) -> OidcRefusedError:
        log.warning("auth.oidc_token_refused", provider=self.config.key, error=type(error).__name__)
        return OidcRefusedError()

    async def _published(self, *, again: bool = False) -> tuple[dict[str, Any], KeySet]:
        """Metadata and keys, asked for once an hour; `again` for unknown keys, twice a minute at most."""
        async with self._lock:
            now = time.monotonic()
            wanted = now - self._fetched > FRESH_SECONDS or again
            if wanted and now - self._asked > AGAIN_SECONDS:
                self._asked = now
                metadata = await self._discover()
                keys = await self._json("GET", metadata["jwks_uri"])
                try:
                    self._keys = KeySet.import_key_set({"keys": _usable(keys.get("keys"))})
                except (JoseError, ValueError, TypeError, KeyError):
                    raise OidcUnavailableError from None
                self._metadata, self._fetched = metadata, now
            if not self._metadata:
                raise OidcUnavailableError
            return self._metadata, self._keys

    async def _discover(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0 §4; the document must be its issuer's, and lead nowhere unsafe."""
        url = self.config.issuer.rstrip("/") + "/.well-known/openid-configuration"
        metadata = await self._json("GET", url)
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        endpoints = [metadata.get(name) for name in needed]
        if "userinfo_endpoint" in metadata:
            endpoints.append(metadata["userinfo_endpoint"])
        secure = urlsplit(self.config.issuer).scheme
        if metadata.get("issuer") != self.config.issuer or not all(
            isinstance(endpoint, str) and urlsplit(endpoint).scheme in ("https", secure) for endpoint in endpoints
        ):
            log.error("auth.oidc_metadata_refused", provider=self.config.key)
            raise OidcUnavailableError
        return metadata

    async def _json(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, data: bytes | None = None
    ) -> dict[str, Any]:
        try:
            answer = await self._http.request(
                method, url, headers={**JSON, **(headers or {})}, data=data, reach=self._reach
            )
        except OutboundError as error:
            log.warning("auth.oidc_unreachable", provider=self.config.key, error=str(error))
            raise OidcUnavailableError from None
        if answer.status in (400, 401, 403):
            # The body may quote what we sent.
            log.warning("auth.oidc_refused", provider=self.config.key, status=answer.status)
            raise OidcRefusedError
        try:
            value = json.loads_bounded(answer.body) if answer.status == 200 and not answer.truncated else None
        except ValueError:
            value = None
        if not isinstance(value, dict):
            log.warning("auth.oidc_answer_unusable", provider=self.config.key, status=answer.status)
            raise OidcUnavailableError
        return value


def _usable(keys: object) -> list[Any]:
    """Keys of the kinds that verify what we accept; providers publish others beside them."""
    if not isinstance(keys, list):
        raise TypeError("keys")
    return [key for key in keys if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP")]

"""A small OpenID provider on loopback that can be told to misbehave. The real one is in test_oidc_real.py."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from contextlib import asynccontextmanager

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "scaicms", "a secret: of the/client"


class Provider:
    """Signs people in at once. `claims` are of whoever comes; `lie` changes the claims of the ID token."""

    def __init__(self):
        self.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})
        self.published = [self.key]
        self.claims = {}
        self.issuer = ""
        self.metadata = {}
        self.lie = lambda claims: claims
        self.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
        self.userinfo = None
        self.codes = {}
        self.requests = []

    def approve(self, query):
        """What the provider's own pages would do: a code for the login that `query` describes."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return code

    async def discovery(self, _):
        known = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        }
        if self.userinfo is not None:
            known["userinfo_endpoint"] = f"{self.issuer}/userinfo"
        return web.json_response({**known, **self.metadata})

    async def jwks(self, _):
        self.requests.append("jwks")
        return web.json_response(KeySet(list(self.published)).as_dict(private=False))

    async def info(self, request):
        assert request.headers["Authorization"].startswith("Bearer ")
        return web.json_response(self.userinfo)

    async def token(self, request):
        body = await request.post()
        login = self.codes.pop(body["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(body["code_verifier"].encode()).digest()).rstrip(b"=")
        given = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        assert given == f"{CLIENT}:a+secret%3A+of+the%2Fclient"
        if (
            login is None
            or login["code_challenge"] != challenge.decode()
            or body["redirect_uri"] != login["redirect_uri"]
        ):
            return web.json_response({"error": "invalid_grant", "error_description": body["code"]}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": login["nonce"],
            **self.claims,
        }
        id_token = self.sign(self.lie(claims))
        return web.json_response({"access_token": secrets.token_hex(8), "token_type": "Bearer", "id_token": id_token})


@asynccontextmanager
async def serving():
    provider = Provider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.discovery)
    app.router.add_get("/jwks", provider.jwks)
    app.router.add_get("/userinfo", provider.info)
    app.router.add_post("/token", provider.token)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()


def signed_with_public_key(key, claims):
    """The attack that signs with the published key as if it were a shared secret."""

    def encoded(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    head = encoded(b'{"alg":"HS256","kid":"first"}') + "." + encoded(json.dumps(claims).encode())
    return head + "." + encoded(hmac.digest(key.as_pem(private=False), head.encode(), "sha256"))

"""Logging in by an OpenID provider, and what providers, browsers and attackers may not do."""

import asyncio
import secrets
import time
from dataclasses import replace
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import jwt as pyjwt
import pyotp
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from scaicms.features.auth.oidc import OidcService
from scaicms.features.auth.service import AuthService
from scaicms.infra import db
from scaicms.infra.services import Services
from scaicms.settings import OidcProvider, Settings
from scaicms.web.ports import SERVICES
from tests.conftest import PASSWORD
from tests.oidc_provider import CLIENT, SECRET, serving, signed_with_public_key

pytestmark = pytest.mark.usefixtures("unlimited")

MAP = {"writers": [{"role": "editor"}, {"role": "author"}], "readers": [{"role": "viewer"}]}


@pytest.fixture
async def provider():
    async with serving() as provider:
        provider.claims = {
            "sub": secrets.token_hex(8),
            "email": f"{secrets.token_hex(6)}@example.com",
            "email_verified": True,
            "name": "Ada",
        }
        yield provider


@pytest.fixture
def configure(services, provider):
    """Make the provider known to the application, with these settings."""

    def known(**settings):
        config = OidcProvider.model_validate(
            {"key": "test", "issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET, **settings}
        )
        changed = services.resources.settings.model_copy(update={"oidc": (config,)})
        services._built[OidcService] = OidcService(Services(replace(services.resources, settings=changed)))

    known()
    yield known
    del services._built[OidcService]


class Browser:
    """Walks through a login, one step at a time."""

    def __init__(self, api, provider):
        self.api, self.provider = api.anonymous(), provider
        self.redis = api.client.app[SERVICES].resources.redis

    async def begin(self):
        # All of these come from one address, whose limit is tried elsewhere.
        await self.redis.delete("none", *await self.redis.keys("*oidc-ip*"))
        self.api.client.session.cookie_jar.clear()
        answer = await self.api.get("/auth/oidc/test/login", allow_redirects=False)
        assert answer.status == 302, answer.raw
        cookie = SimpleCookie(answer.headers["Set-Cookie"])["scaicms_oidc"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/api/v1/auth/oidc")
        self.cookie = cookie.value
        self.api.client.session.cookie_jar.clear()
        return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}

    async def finish(self, *, cookie=None, **query):
        headers = {"Cookie": f"scaicms_oidc={self.cookie if cookie is None else cookie}"}
        answer = await self.api.get("/auth/oidc/test/callback", params=query, headers=headers)
        self.api.client.session.cookie_jar.clear()
        return answer

    async def login(self):
        query = await self.begin()
        return await self.finish(code=self.provider.approve(query), state=query["state"])


@pytest.fixture
async def browser(admin, provider, configure):
    return Browser(admin, provider)


async def roles_of(api, answer):
    profile = await api.with_token(answer.json["access_token"]).get("/auth/profile")
    return sorted(given["role"] for given in profile.json["roles"])


async def test_a_login_makes_the_account_once(browser, provider):
    first = await browser.login()
    assert first.status == 200, first.raw
    assert first.json["user"]["email"] == provider.claims["email"]
    assert first.headers["Cache-Control"] == "no-store"
    second = await browser.login()
    assert second.json["user"]["id"] == first.json["user"]["id"]
    profile = await browser.api.with_token(second.json["access_token"]).get("/auth/profile")
    assert profile.json["name"] == "Ada"


async def test_the_account_is_the_providers_subject_and_not_its_address(browser, provider):
    first = await browser.login()
    provider.claims["email"] = "somebody.else@example.com"
    again = await browser.login()
    assert again.json["user"]["id"] == first.json["user"]["id"]


async def test_of_concurrent_first_logins_one_makes_the_account(browser, provider, admin):
    browsers = [Browser(admin, provider) for _ in range(4)]
    for one in browsers:
        one.query = await one.begin()
    answers = await asyncio.gather(
        *(one.finish(code=provider.approve(one.query), state=one.query["state"]) for one in browsers)
    )
    assert [answer.status for answer in answers] == [200] * 4
    assert len({answer.json["user"]["id"] for answer in answers}) == 1


async def test_groups_give_and_take_the_roles_that_the_mapping_names_and_no_other(browser, provider, configure, admin):
    configure(role_map=MAP, group_claim="realm.groups")
    provider.claims["realm"] = {"groups": ["writers", "unknown", 7]}
    first = await browser.login()
    assert await roles_of(admin, first) == ["author", "editor"]
    own = f"r{secrets.token_hex(4)}"
    await admin.post("/roles", {"key": own, "name": own})
    given = [{"role": role} for role in ("author", "editor", own)]
    await admin.put(f"/users/{first.json['user']['id']}/roles", given)
    provider.claims["realm"] = {"groups": ["readers"]}
    assert await roles_of(admin, await browser.login()) == sorted([own, "viewer"])
    del provider.claims["realm"]
    assert await roles_of(admin, await browser.login()) == [own]


async def test_a_mapping_may_name_a_site(browser, provider, configure, site, admin):
    configure(role_map={"writers": [{"role": "editor", "site": site.site}, {"role": "editor", "site": "no-such-site"}]})
    provider.claims["groups"] = "writers"
    answer = await browser.login()
    profile = await admin.with_token(answer.json["access_token"]).get("/auth/profile")
    site_id = (await admin.get(f"/sites/{site.site}")).json["id"]
    assert profile.json["roles"] == [{"role": "editor", "site_id": site_id}]


async def test_what_the_id_token_lacks_is_asked_from_the_user_info_of_the_same_subject(browser, provider):
    full = provider.claims
    provider.userinfo = full
    provider.claims = {"sub": full["sub"]}
    assert (await browser.login()).json["user"]["email"] == full["email"]
    provider.userinfo = {**full, "sub": "another"}
    assert (await browser.login()).code == "oidc_refused"


@pytest.mark.parametrize(
    ("claims", "configured"),
    [
        ({"email_verified": False}, {}),
        ({"email_verified": "true"}, {}),
        ({"email": None}, {}),
        ({"email": "nonsense\r\n@x"}, {"trust_email": True}),
        ({}, {"create_users": False}),
    ],
)
async def test_who_may_not_become_a_user_does_not(browser, provider, configure, claims, configured):
    configure(**configured)
    provider.claims |= claims
    answer = await browser.login()
    assert (answer.status, answer.code) == (401, "oidc_no_account")
    assert await db.fetchval("SELECT count(*) FROM identities WHERE subject = $1", provider.claims["sub"]) == 0


async def test_an_existing_account_is_taken_over_by_a_verified_address_only_where_that_is_wanted(
    browser, provider, configure, admin
):
    made = await admin.post("/users", {"email": provider.claims["email"], "name": "A", "password": PASSWORD})
    assert (await browser.login()).code == "oidc_no_account"
    configure(link_by_email=True)
    provider.claims["email_verified"] = False
    assert (await browser.login()).code == "oidc_no_account"
    provider.claims["email_verified"] = True
    assert (await browser.login()).json["user"]["id"] == made.json["id"]


async def test_a_deactivated_account_stays_out(browser, provider, admin):
    user_id = (await browser.login()).json["user"]["id"]
    await admin.patch(f"/users/{user_id}", {"is_active": False})
    assert (await browser.login()).code == "oidc_no_account"


async def test_a_provider_is_no_way_past_a_second_factor(browser, provider, configure, admin, services):
    entered = await browser.login()
    api = admin.with_token(entered.json["access_token"])
    totp = pyotp.TOTP((await api.post("/auth/totp")).json["secret"])
    assert (await api.post("/auth/totp/confirm", {"otp": totp.now()})).status == 200
    assert (await browser.login()).code == "otp_required"
    provider.claims["amr"] = ["pwd", "mfa"]
    assert (await browser.login()).status == 200
    provider.claims["amr"] = ["pwd"]
    assert (await browser.login()).code == "otp_required"
    configure(second_factor=True)
    assert (await browser.login()).status == 200


async def test_a_login_by_a_provider_counts_as_fresh_for_ten_minutes(browser, admin):
    entered = await browser.login()
    api, user_id = admin.with_token(entered.json["access_token"]), entered.json["user"]["id"]
    assert (await api.post("/auth/totp")).status == 200
    await db.execute("UPDATE sessions SET created_at = now() - interval '11 minutes' WHERE user_id = $1", user_id)
    assert (await api.post("/auth/totp")).code == "fresh_authentication_required"
    renewed = await admin.anonymous().post("/auth/refresh", {"refresh_token": entered.json["refresh_token"]})
    later = admin.with_token(renewed.json["access_token"])
    assert (await later.post("/auth/totp")).code == "fresh_authentication_required"
    again = admin.with_token((await browser.login()).json["access_token"])
    assert (await again.post("/auth/totp")).status == 200


async def test_an_account_of_a_provider_has_no_password_to_guess(browser, provider, services):
    await browser.login()
    for guess in ("", "!", "nobody has this password, nobody at all"):
        with pytest.raises(Exception, match="is wrong"):
            await services.get(AuthService).login(provider.claims["email"], guess, ip="guesser", user_agent="")


async def test_a_login_belongs_to_the_browser_that_began_it(browser, provider, admin):
    query = await browser.begin()
    code = provider.approve(query)
    for answer in (
        await browser.finish(code=code, state=query["state"], cookie=""),
        await browser.finish(code=code, state=query["state"], cookie="AAAA"),
        await browser.finish(code=code, state=query["state"], cookie="\u00e9".encode("latin-1").decode("latin-1")),
        await browser.finish(code=code, state="other"),
        await browser.finish(code=code),
        await browser.finish(state=query["state"]),
        await browser.finish(state=query["state"], error="access_denied"),
        await browser.finish(code=code, state=query["state"], iss="https://evil.example"),
    ):
        assert (answer.status, answer.code) == (401, "oidc_refused")
    other = Browser(admin, provider)
    await other.begin()
    assert (await other.finish(code=code, state=query["state"])).code == "oidc_refused"
    assert (await browser.finish(code=code, state=query["state"], session_state="x", iss=provider.issuer)).status == 200


async def test_a_code_is_good_once_and_for_the_login_that_it_was_made_for(browser, provider):
    query = await browser.begin()
    code = provider.approve(query)
    assert (await browser.finish(code=code, state=query["state"])).status == 200
    again = await browser.finish(code=code, state=query["state"])
    assert (again.code, code in again.raw.decode()) == ("oidc_refused", False)
    stolen = provider.approve(await browser.begin())
    mine = await browser.begin()
    assert (await browser.finish(code=stolen, state=mine["state"])).code == "oidc_refused"


async def test_a_login_that_took_too_long_begins_again(browser, provider, monkeypatch):
    monkeypatch.setattr("scaicms.features.auth.oidc.LOGIN_SECONDS", -1)
    assert (await browser.login()).code == "oidc_refused"


def _changed(**changes):
    return lambda claims: {name: value for name, value in {**claims, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    "lie",
    [
        _changed(iss="https://evil.example"),
        _changed(iss=None),
        _changed(aud="another client"),
        _changed(aud=["another client", "a third"]),
        _changed(aud=[CLIENT, "another client"], azp="another client"),
        _changed(aud=None),
        _changed(nonce="another login"),
        _changed(nonce=None),
        _changed(exp=int(time.time()) - 3600),
        _changed(exp=None),
        _changed(exp=float("inf")),
        _changed(iat=int(time.time()) + 3600),
        _changed(nbf=int(time.time()) + 3600),
        _changed(sub=None),
        _changed(sub=""),
        _changed(sub=7),
        _changed(sub="x" * 300),
        _changed(at_hash="bm90IGl0cyBoYXNo"),
    ],
)
async def test_a_token_that_is_not_for_us_and_now_is_refused(browser, provider, lie):
    provider.lie = lie
    answer = await browser.login()
    assert (answer.status, answer.code) == (401, "oidc_refused")


async def test_forged_signatures_are_refused(browser, provider):
    stranger = RSAKey.generate_key(2048, {"kid": "first"})
    unknown = RSAKey.generate_key(2048, {"kid": "unknown"})
    pem, ours = provider.key.as_pem(private=True), provider.sign

    def unsigned(claims):
        _, body, _ = ours(claims).split(".")
        return "eyJhbGciOiJub25lIn0." + body + "."

    def changed(claims):
        head, body, signature = ours(claims).split(".")
        return f"{head}.{body}.{signature[:-4]}AAAA"

    for sign in (
        unsigned,
        changed,
        lambda claims: jwt.encode({"alg": "RS256", "kid": "first"}, claims, stranger),
        lambda claims: jwt.encode({"alg": "RS256", "kid": "unknown"}, claims, unknown),
        lambda claims: signed_with_public_key(provider.key, claims),
        lambda claims: pyjwt.encode(claims, pem, "RS256", {"kid": "first", "crit": ["x"], "x": 1}),
        lambda claims: "x" * 60_000,
        lambda claims: "",
        lambda claims: "a.b.c",
        lambda claims: ["not a text"],
    ):
        provider.sign = sign
        answer = await browser.login()
        assert answer.code == "oidc_refused", answer.raw
    provider.sign = lambda claims: "x" * 100_000
    assert (await browser.login()).code == "oidc_unavailable"
    provider.sign = lambda claims: pyjwt.encode(claims, pem, "RS256", {"kid": "first"})
    assert (await browser.login()).status == 200


async def test_a_new_key_of_the_provider_is_fetched_when_its_first_token_comes(browser, provider, services):
    assert (await browser.login()).status == 200
    provider.key = RSAKey.generate_key(2048, {"kid": "second", "use": "sig", "alg": "RS256"})
    provider.published.append(provider.key)
    services.get(OidcService)._providers["test"]._asked -= 60
    assert (await browser.login()).status == 200
    assert provider.requests == ["jwks", "jwks"]


async def test_unknown_keys_do_not_make_us_ask_again_and_again(browser, provider):
    stranger = RSAKey.generate_key(2048, {"kid": "unknown"})
    provider.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": "unknown"}, claims, stranger)
    for _ in range(3):
        assert (await browser.login()).code == "oidc_refused"
    assert provider.requests == ["jwks"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": None},
        {"jwks_uri": 7},
        {"jwks_uri": "http://169.254.169.254/keys"},
        {"userinfo_endpoint": "ftp://x/"},
        {"padding": "x" * 70_000},
    ],
)
async def test_a_provider_whose_metadata_lead_astray_is_not_used(browser, provider, admin, metadata):
    provider.metadata = metadata
    answer = await admin.anonymous().get("/auth/oidc/test/login", allow_redirects=False)
    assert (answer.status, answer.code) == (503, "oidc_unavailable")


async def test_steps_of_logins_from_one_address_are_bounded(browser, admin):
    await browser.begin()
    statuses = [(await admin.anonymous().get("/auth/oidc/test/callback?code=x&state=y")).status for _ in range(62)]
    assert set(statuses[:58]) == {401}
    assert statuses[-1] == 429


async def test_providers_are_listed_and_others_are_not_there(browser, admin, configure):
    configure(name="The House")
    listed = await admin.anonymous().get("/auth/oidc")
    assert listed.json == {"items": [{"key": "test", "name": "The House"}], "total": 1}
    assert "secret" not in listed.raw.decode()
    for path in ("/auth/oidc/other/login", "/auth/oidc/other/callback?code=x&state=y"):
        assert (await admin.anonymous().get(path)).code == "oidc_provider_not_found"


def test_production_takes_no_provider_in_the_clear_and_none_without_an_address_to_come_back_to():
    said = {"env": "production", "secret": "x" * 40, "database_url": "postgresql://x/x", "redis_url": "redis://x"}
    config = {"key": "a", "client_id": "c", "client_secret": "hunter2"}
    for issuer, public_url in (("http://idp.example", "https://cms.example"), ("https://idp.example", None)):
        with pytest.raises(ValueError, match="SCAICMS_OIDC") as refused:
            Settings(**said, public_url=public_url, oidc=[{**config, "issuer": issuer}])
        assert "hunter2" not in str(refused.value)
    assert Settings(**said, public_url="https://cms.example", oidc=[{**config, "issuer": "https://idp.example"}])

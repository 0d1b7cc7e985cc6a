"""A login through a certified OpenID provider, a process of its own. `.ci/run` installs what it needs."""

import asyncio
import re
import secrets
import socket
from dataclasses import replace
from http.cookies import SimpleCookie
from urllib.parse import urljoin

import aiohttp
import pytest
from yarl import URL

from scaicms.features.auth.oidc import OidcService
from scaicms.infra.services import Services
from scaicms.settings import OidcProvider
from tests.node.programs import FOLDER, MISSING, node

CALLBACK = "http://localhost:8000/api/v1/auth/oidc/CLIENT/callback"
CLIENTS = ("rs", "ps", "es", "ed")

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
async def issuer():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        node(), FOLDER / "provider.mjs", str(port), CALLBACK, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert (await asyncio.wait_for(process.stdout.readline(), 30)).strip() == b"ready", MISSING
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
def known(services, issuer):
    """The provider, once a client, made known to the application."""
    providers = tuple(
        OidcProvider(
            key=client,
            issuer=issuer,
            client_id=client,
            client_secret=f"secret of {client}",
            scopes=("openid", "email", "profile", "groups"),
            role_map={"writers": ({"role": "editor"},), "readers": ({"role": "viewer"},)},
        )
        for client in CLIENTS
    )
    settings = services.resources.settings.model_copy(update={"oidc": providers})
    services._built[OidcService] = OidcService(Services(replace(services.resources, settings=settings)))
    yield
    del services._built[OidcService]


async def walk(url, name):
    """What somebody does at the provider: log in, consent, be sent back. The address they are sent back to."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        method, data = "GET", None
        for _ in range(12):
            async with session.request(method, url, data=data, allow_redirects=False) as response:
                if "Location" in response.headers:
                    method, data, url = "GET", None, urljoin(str(response.url), response.headers["Location"])
                    if "/callback" in url:
                        return URL(url)
                    continue
                page = await response.text()
            assert response.status == 200, page
            method, url = "POST", urljoin(url, re.search(r'action="([^"]+)"', page)[1])
            prompt = re.search(r'name="prompt" value="(\w+)"', page)[1]
            data = {"prompt": prompt, "login": name, "password": "anything"}
    raise AssertionError("the provider never sent us back")


async def login(admin, client, name):
    admin.client.session.cookie_jar.clear()
    begun = await admin.anonymous().get(f"/auth/oidc/{client}/login", allow_redirects=False)
    assert begun.status == 302, begun.raw
    cookie = SimpleCookie(begun.headers["Set-Cookie"])["scaicms_oidc"].value
    back = await walk(begun.headers["Location"], name)
    admin.client.session.cookie_jar.clear()
    headers = {"Cookie": f"scaicms_oidc={cookie}"}
    return back, headers, await admin.anonymous().get(back.path, params=back.query, headers=headers)


@pytest.mark.parametrize("which", CLIENTS)
async def test_a_login_through_a_real_provider_gives_a_session_with_the_roles_of_its_groups(admin, known, which):
    name = f"writer-{secrets.token_hex(4)}"
    back, headers, entered = await login(admin, which, name)
    assert "iss" in back.query
    assert entered.status == 200, entered.raw
    assert entered.json["user"]["email"] == f"{name}@example.com"
    profile = await admin.with_token(entered.json["access_token"]).get("/auth/profile")
    assert (profile.json["name"], profile.json["roles"]) == (f"Named {name}", [{"role": "editor", "site_id": None}])
    replayed = await admin.anonymous().get(back.path, params=back.query, headers=headers)
    assert replayed.code == "oidc_refused"


async def test_the_same_person_comes_back_to_the_same_account_by_any_client(admin, known):
    name = f"reader-{secrets.token_hex(4)}"
    ids = {(await login(admin, client, name))[2].json["user"]["id"] for client in CLIENTS}
    assert len(ids) == 1

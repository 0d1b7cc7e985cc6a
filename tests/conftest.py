"""Real PostgreSQL and Valkey for every test, the real application over them, and jobs run inline by `drain()`.

Tests share one database and take a site, users and keys of their own, so nothing needs to be undone between them.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from scaicms import registry
from scaicms.app import create_app
from scaicms.connect import create_services
from scaicms.features.auth.service import AuthService
from scaicms.features.roles.service import RoleService
from scaicms.features.users.service import UserService
from scaicms.infra import db
from scaicms.infra.db.migrations import migrate
from scaicms.infra.jobs import QUEUES
from scaicms.infra.jobs.runner import Runner
from scaicms.infra.services import Services
from scaicms.kit.principal import SYSTEM
from scaicms.settings import Settings
from scaicms.web.ports import SERVICES
from tests.engines import engines

ADMIN = "admin@example.com"
PASSWORD = "correct horse battery staple"
API = "/api/v1"


@dataclass(frozen=True)
class Answer:
    """A response, read."""

    status: int
    headers: Any
    raw: bytes
    json: Any

    @property
    def code(self) -> str:
        return str(self.json["detail"]["code"])


class Api:
    """The API as somebody, at some site."""

    def __init__(self, client: TestClient[Any, Any], token: str | None = None, site: str | None = None) -> None:
        self.client = client
        self.token = token
        self.site = site

    def at(self, site: str | None) -> "Api":
        return Api(self.client, self.token, site)

    def anonymous(self) -> "Api":
        return Api(self.client, None, self.site)

    def with_token(self, token: str) -> "Api":
        return Api(self.client, token, self.site)

    async def call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **given: Any) -> Answer:
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if self.site is not None:
            sent["X-Site-ID"] = self.site
        response: ClientResponse = await self.client.request(
            method,
            path if path.startswith("/api/") else API + path,
            headers={**sent, **(headers or {})},
            **given,
        )
        raw = await response.read()
        is_json = response.content_type.endswith(("/json", "+json")) and raw
        return Answer(response.status, response.headers, raw, await response.json() if is_json else None)

    async def get(self, path: str, **given: Any) -> Answer:
        return await self.call("GET", path, **given)

    async def post(self, path: str, json: Any = None, **given: Any) -> Answer:
        return await self.call("POST", path, json=json, **given)

    async def patch(self, path: str, json: Any = None, **given: Any) -> Answer:
        return await self.call("PATCH", path, json=json, **given)

    async def put(self, path: str, json: Any = None, **given: Any) -> Answer:
        return await self.call("PUT", path, json=json, **given)

    async def delete(self, path: str, **given: Any) -> Answer:
        return await self.call("DELETE", path, **given)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Settings]:
    """Engines, or databases on given ones, of this test process alone."""
    home: Path = tmp_path_factory.mktemp("home")
    with engines(home, worker_id) as (database_url, redis_url):
        yield Settings(
            env="test",
            home=home,
            database_url=database_url,
            redis_url=redis_url,
            secret="a secret that is long enough for tests",
            body_idle_seconds=1,
            webhook_reach="loopback",
        )


@pytest_asyncio.fixture(scope="session")
async def database(settings: Settings) -> Settings:
    """The schema, the built-in roles and an administrator."""
    await migrate(settings.database_url, registry.model_modules())
    async with create_services(settings, kind="worker") as services:
        await services.get(RoleService).ensure_built_in(SYSTEM)
        await services.get(UserService).ensure_administrator(SYSTEM, ADMIN, PASSWORD)
    return settings


@pytest_asyncio.fixture(scope="session")
async def client(database: Settings) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(create_app(database))) as client:
        yield client


@pytest.fixture
def services(client: TestClient[Any, Any]) -> Services:
    return client.app[SERVICES]


@pytest_asyncio.fixture(scope="session")
async def admin(client: TestClient[Any, Any]) -> Api:
    """The API as the administrator."""
    answer = await Api(client).post("/auth/login", {"email": ADMIN, "password": PASSWORD})
    assert answer.status == 200, answer.raw
    return Api(client, answer.json["access_token"])


@pytest_asyncio.fixture
async def site(admin: Api) -> Api:
    """A fresh site, as the administrator."""
    key = f"s{secrets.token_hex(6)}"
    answer = await admin.post("/sites", {"key": key, "name": key})
    assert answer.status == 201, answer.raw
    return admin.at(key)


ARTICLE = {
    "key": "article",
    "name": "Article",
    "url_pattern": "/articles/{slug}",
    "fields": [
        {"key": "title", "type": "string", "required": True, "max_length": 200},
        {"key": "body", "type": "markdown"},
        {"key": "price", "type": "number"},
        {"key": "count", "type": "integer", "min": 0},
        {"key": "featured", "type": "boolean"},
        {"key": "day", "type": "date"},
        {"key": "at", "type": "datetime"},
        {"key": "tags", "type": "multiselect"},
        {"key": "colour", "type": "select", "options": ["red", "green"]},
        {"key": "code", "type": "string", "unique": True, "pattern": "[A-Z]{3}"},
        {"key": "secret", "type": "string", "private": True},
        {"key": "related", "type": "relation", "target": "article"},
        {"key": "others", "type": "relations", "target": "article"},
    ],
}


@pytest_asyncio.fixture
async def articles(site: Api) -> Api:
    """A fresh site with the type `article`."""
    answer = await site.post("/content-types", ARTICLE)
    assert answer.status == 201, answer.raw
    return site


@pytest_asyncio.fixture
async def user(admin: Api) -> AsyncIterator[Callable[..., Awaitable[Api]]]:
    """Make somebody with a role (at a site) and act as them. Administrators are none any more afterwards."""
    administrators = []

    async def make(role: str | None = None, *, site: str | None = None) -> Api:
        email = f"{secrets.token_hex(6)}@example.com"
        made = await admin.post("/users", {"email": email, "name": "Somebody", "password": PASSWORD})
        assert made.status == 201, made.raw
        if role is not None:
            site_id = (await admin.get(f"/sites/{site}")).json["id"] if site else None
            given = await admin.put(f"/users/{made.json['id']}/roles", [{"role": role, "site_id": site_id}])
            assert given.status == 200, given.raw
            if role == "administrator" and site is None:
                administrators.append(made.json["id"])
        ip = f"10.{secrets.randbelow(250)}.{secrets.randbelow(250)}.{secrets.randbelow(250)}"
        services = admin.client.app[SERVICES]
        entered = await services.get(AuthService).login(email, PASSWORD, ip=ip, user_agent="tests")
        return Api(admin.client, entered.access_token, site)

    yield make
    for user_id in administrators:
        assert (await admin.put(f"/users/{user_id}/roles", [])).status in (200, 404)


@pytest_asyncio.fixture
async def alone(admin: Api) -> Api:
    """The administrator, when nobody else is one: other tests leave theirs behind."""
    boss = (await admin.get("/auth/profile")).json["id"]
    for person in (await admin.get("/users?role=administrator&page_size=200")).json["items"]:
        if person["id"] != boss:
            assert (await admin.put(f"/users/{person['id']}/roles", [])).status == 200
    return admin


@pytest_asyncio.fixture
async def granted(admin: Api, user: Callable[..., Awaitable[Api]]) -> Callable[..., Awaitable[Api]]:
    """Act as somebody who has exactly these grants at a site."""

    async def make(site: Api, *grants: dict[str, Any] | str) -> Api:
        role = await role_with(admin, *grants)
        return await user(role, site=site.site)

    return make


async def role_with(admin: Api, *grants: dict[str, Any] | str) -> str:
    """A fresh role with these grants; a text is a permission without bounds. Its key."""
    key = f"r{secrets.token_hex(6)}"
    assert (await admin.post("/roles", {"key": key, "name": key})).status == 201
    wanted = [{"permission": grant} if isinstance(grant, str) else grant for grant in grants]
    answer = await admin.put(f"/roles/{key}/permissions", wanted)
    assert answer.status == 200, answer.raw
    return key


@pytest_asyncio.fixture(autouse=True)
async def leaves_no_work(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """What a test has not drained is not for the next one that drains."""
    yield
    if {"client", "database"} <= set(request.fixturenames):
        await db.execute("DELETE FROM jobs WHERE state = 'pending'")


@pytest_asyncio.fixture
async def drain(services: Services) -> Callable[[], Awaitable[int]]:
    """Run all due jobs in this process; how many there were."""
    runner = Runner(registry.tasks(), services, "tests")

    async def run() -> int:
        total = 0
        while done := sum([await runner.run_due(queue, 50) for queue in QUEUES]):
            total += done
        return total

    return run

"""Redis that takes connections and answers nothing: requests go on, quickly, and all is well soon after it is back.

A web process of its own, with a Redis of its own, over the database of the tests.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import time

import aiohttp
import pytest
import pytest_asyncio

from scaicms.embedded.valkey import EmbeddedValkey
from tests.conftest import ADMIN, API, ARTICLE, PASSWORD, Api
from tests.web_process import is_up, web_process

# Idle machines take far less than 0.3 s for each of these; the rest is for busy ones.
SECONDS = 1.0


@contextlib.contextmanager
def frozen(valkey):
    os.kill(valkey.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(valkey.process.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    with EmbeddedValkey(tmp_path_factory.mktemp("frozen"), durable=False) as one:
        yield one


@pytest.fixture(scope="module")
def address(database, valkey):
    with web_process(database, redis_url=valkey.url) as address:
        yield address


@pytest_asyncio.fixture
async def api(address):
    async with aiohttp.ClientSession(base_url=address) as client:
        await is_up(client)
        answer = await Api(client).post("/auth/login", {"email": ADMIN, "password": PASSWORD})
        assert answer.status == 200, answer.raw
        yield Api(client, answer.json["access_token"])


async def until(client, verdict, seconds):
    """Wait until `/readyz` says this of Redis."""
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                checks = (await (await client.get("/readyz")).json())["checks"]
                if (checks["redis"] == "ok") == (verdict == "ok"):
                    return
            await asyncio.sleep(0.1)


@contextlib.contextmanager
def within(seconds):
    started = time.perf_counter()
    yield
    assert time.perf_counter() - started < seconds


async def test_nothing_waits_for_a_frozen_redis(api, valkey):
    key = f"s{secrets.token_hex(6)}"
    assert (await api.post("/sites", {"key": key, "name": key})).status == 201
    site = api.at(key)
    assert (await site.post("/content-types", ARTICLE)).status == 201
    for number in range(2):
        hook = {"name": f"h{number}", "url": "http://127.0.0.1:9/", "events": ["*"]}
        assert (await site.post("/webhooks", hook)).status == 201
    token = (await site.post("/api-keys", {"name": "k", "permissions": ["content:read"]})).json["key"]
    keyed = site.with_token(token)
    new = {"type": "article", "data": {"title": "Once"}}
    path = f"/content/{(await site.post('/content', new)).json['id']}"
    login = {"email": ADMIN, "password": PASSWORD}
    calls = [
        lambda: api.anonymous().post("/auth/login", login),
        lambda: site.post(f"{path}/publish"),
        lambda: site.post("/content", new, headers={"Idempotency-Key": secrets.token_hex()}),
        lambda: keyed.get(path),
        lambda: site.get(path),
        lambda: site.get("/search/queues"),
        lambda: api.anonymous().post("/auth/password-reset", {"email": f"{secrets.token_hex(4)}@example.com"}),
    ]
    for call in calls:  # what the first use of a thing costs is not about Redis
        await call()
    with frozen(valkey):
        for _ in range(2):
            for call in calls:
                with within(SECONDS):
                    answer = await call()
                assert answer.status < 300 or answer.status == 429, answer.raw
            for page in ("/readyz", "/metrics"):
                with within(SECONDS):
                    assert (await api.client.get(page)).status == 200
    await until(api.client, "ok", 4)


async def test_many_requests_at_once_wait_for_it_once(api, valkey):
    async def log_in():
        login = {"email": f"{secrets.token_hex(6)}@example.com", "password": "wrong"}
        return (await api.client.post(f"{API}/auth/login", json=login)).status

    async def seconds():
        started = time.perf_counter()
        assert set(await asyncio.gather(*(log_in() for _ in range(6)))) <= {401, 429}
        return time.perf_counter() - started

    usual = await seconds()  # hashing takes its time
    with frozen(valkey):
        assert await seconds() < 2 * usual + SECONDS


async def test_a_redis_that_is_gone_is_asked_again_until_it_is_back(api, valkey):
    valkey.stop()
    await until(api.client, "away", 5)
    for _ in range(3):
        with within(SECONDS):
            assert (await api.client.get("/readyz")).status == 200
    metrics = await (await api.client.get("/metrics")).text()
    assert "\nscaicms_redis_away 1.0\n" in metrics
    valkey.start()
    await until(api.client, "ok", 5)
    assert "\nscaicms_redis_away 0.0\n" in await (await api.client.get("/metrics")).text()

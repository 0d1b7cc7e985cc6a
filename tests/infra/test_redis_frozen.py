"""Redis that takes connections and answers nothing: requests go on, quickly, and all is well soon after it is back.

A web process of its own, with a Redis of its own, over the database of the tests.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import statistics
import time
from itertools import count

import aiohttp
import pytest
import pytest_asyncio

from scaicms.embedded.valkey import EmbeddedValkey
from tests.conftest import ADMIN, API, ARTICLE, PASSWORD, Api
from tests.web_process import is_up, web_process

SECONDS = 0.3
"""The longest response of an idle machine, by the first request that meets the frozen Redis."""
SAMPLES = 5
"""The bound grows by what the request takes on this machine with Redis well, the median of so many: on an idle machine
a few milliseconds, for a login 40."""
TRIES = 3
"""A wait for Redis is in every try, a wait for the processor is not."""
PAGE_SECONDS = 1.0
"""For what operators look at, and for many logins at once; a busy machine included."""
COUNTING_SECONDS = 10.0
"""A process counts attempts by itself for so long after an outage; then it asks Redis again."""


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


async def seconds_of(call):
    began = time.perf_counter()
    answer = await call()
    taken = time.perf_counter() - began
    assert answer.status < 300, answer.raw
    return taken


NUMBERS = count(2)


async def post_from_elsewhere(address, path, body):
    """From another address each time: attempts are counted."""
    connector = aiohttp.TCPConnector(local_addr=(f"127.0.1.{next(NUMBERS)}", 0))
    async with aiohttp.ClientSession(base_url=address, connector=connector) as client:
        return await Api(client).post(path, body)


async def calls_of(api, address):
    """Requests that use Redis, each in its own way, by name."""
    key = f"s{secrets.token_hex(6)}"
    assert (await api.post("/sites", {"key": key, "name": key})).status == 201
    site = api.at(key)
    assert (await site.post("/content-types", ARTICLE)).status == 201
    for number in range(2):
        hook = {"name": f"h{number}", "url": "http://127.0.0.1:9/", "events": ["*"]}
        assert (await site.post("/webhooks", hook)).status == 201
    token = (await site.post("/api-keys", {"name": "k", "permissions": ["content:read"]})).json["key"]
    new = {"type": "article", "data": {"title": "Once"}}
    drafts = [(await site.post("/content", new)).json["id"] for _ in range(SAMPLES + 2 * TRIES + 1)]
    path = f"/content/{drafts.pop()}"
    assert (await site.post(f"{path}/publish")).status == 200
    return {
        "log in": lambda: post_from_elsewhere(address, "/auth/login", {"email": ADMIN, "password": PASSWORD}),
        "publish": lambda: site.post(f"/content/{drafts.pop()}/publish"),
        "create once": lambda: site.post("/content", new, headers={"Idempotency-Key": secrets.token_hex()}),
        "read with a key": lambda: site.with_token(token).get(path),
        "read": lambda: site.get(path),
        "queues": lambda: site.get("/search/queues"),
        "ask for a reset": lambda: post_from_elsewhere(
            address, "/auth/password-reset", {"email": f"{secrets.token_hex(4)}@example.com"}
        ),
    }


async def test_nothing_waits_for_a_frozen_redis(api, address, valkey):
    for name, call in (await calls_of(api, address)).items():
        usual = statistics.median([await seconds_of(call) for _ in range(SAMPLES)])
        for _ in range(TRIES):
            with frozen(valkey):
                first, second = await seconds_of(call), await seconds_of(call)
            await until(api.client, "ok", 4)
            if max(first, second) < SECONDS + usual:
                break
            await asyncio.sleep(COUNTING_SECONDS)
        else:
            pytest.fail(f"{name}: {first:.2f} s, then {second:.2f} s; {usual:.2f} s with Redis")


async def test_operators_see_a_frozen_redis_soon(api, valkey):
    with frozen(valkey):
        for page in ("/readyz", "/metrics"):
            with within(PAGE_SECONDS):
                assert (await api.client.get(page)).status == 200
    await until(api.client, "ok", 4)


@contextlib.contextmanager
def within(seconds):
    started = time.perf_counter()
    yield
    assert time.perf_counter() - started < seconds


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
        assert await seconds() < 2 * usual + PAGE_SECONDS


async def test_a_redis_that_is_gone_is_asked_again_until_it_is_back(api, valkey):
    valkey.stop()
    await until(api.client, "away", 5)
    for _ in range(3):
        with within(PAGE_SECONDS):
            assert (await api.client.get("/readyz")).status == 200
    metrics = await (await api.client.get("/metrics")).text()
    assert "\nscaicms_redis_away 1.0\n" in metrics
    valkey.start()
    await until(api.client, "ok", 5)
    assert "\nscaicms_redis_away 0.0\n" in await (await api.client.get("/metrics")).text()

"""For the tests of features."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys

import aiohttp
import pytest
import pytest_asyncio

from tests.conftest import Api


@pytest.fixture
async def unlimited(services):
    """All tests of a process call from one address: what earlier ones tried does not count against the next."""
    redis = services.resources.redis
    await redis.delete("none", *await redis.keys("scaicms:limits*-ip*"))


@contextlib.asynccontextmanager
async def second_process(database, folder, **environment):
    """A second web process over the same engines, called over the wire."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        **os.environ,
        "SCAICMS_ENV": "test",
        "SCAICMS_HOME": str(database.home),
        "SCAICMS_SECRET": database.secret.get_secret_value(),
        "DATABASE_URL": database.database_url,
        "REDIS_URL": database.redis_url,
        **environment,
    }
    log = (folder / "log").open("wb")
    command = [sys.executable, "-m", "scaicms", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=env, stderr=log)  # noqa: ASYNC220 - starting takes no time
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        try:
            async with asyncio.timeout(30):
                while True:
                    try:
                        await session.get("/healthz")
                        break
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.1)
            yield session
        finally:
            process.terminate()
            process.wait(30)


@pytest_asyncio.fixture(scope="module")
async def elsewhere(database, tmp_path_factory):
    """A second web process."""
    async with second_process(database, tmp_path_factory.mktemp("elsewhere")) as session:
        yield session


@pytest_asyncio.fixture(scope="module")
async def proxied(database, tmp_path_factory):
    """The API of a second web process that trusts a proxy on this machine: a test calls it from any address."""
    folder = tmp_path_factory.mktemp("proxied")
    async with second_process(database, folder, SCAICMS_TRUSTED_PROXIES='["127.0.0.0/8"]') as session:
        yield Api(session)

"""For the tests of features."""

import asyncio
import os
import socket
import subprocess
import sys

import aiohttp
import pytest
import pytest_asyncio


@pytest.fixture
async def unlimited(services):
    """All tests of a process call from one address: what earlier ones tried does not count against the next."""
    redis = services.resources.redis
    await redis.delete("none", *await redis.keys("scaicms:limits*-ip*"))


@pytest_asyncio.fixture(scope="module")
async def elsewhere(database, tmp_path_factory):
    """A second web process over the same engines, asked over the wire."""
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
    }
    log = (tmp_path_factory.mktemp("elsewhere") / "log").open("wb")
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

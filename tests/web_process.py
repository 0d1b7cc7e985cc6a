"""A web process of its own over the database of the tests, for what a process cannot try on itself."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import aiohttp

from scaicms.settings import Settings

# Our code takes the time of the host from here alone.
SHIFTED = """
import time
real, shift = time.time, {shift}
time.time = lambda: real() + shift
import runpy, sys
sys.argv = ["scaicms", "serve"]
runpy.run_module("scaicms", run_name="__main__")
"""


@contextlib.contextmanager
def web_process(settings: Settings, *, redis_url: str | None = None, clock_shift: float = 0.0) -> Iterator[str]:
    """The address of the process; `clock_shift` is how many seconds its host is ahead."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": redis_url or settings.redis_url,
        "SCAICMS_ENV": "test",
        "SCAICMS_HOME": str(settings.home),
        "SCAICMS_SECRET": settings.secret.get_secret_value(),
        "SCAICMS_WEBHOOK_REACH": "loopback",
        "SCAICMS_LOG_LEVEL": "error",
        "SCAICMS_PORT": str(port),
    }
    command = [sys.executable, "-c", SHIFTED.format(shift=clock_shift)]
    process = subprocess.Popen(command, env=environment)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


async def is_up(client: aiohttp.ClientSession, seconds: float = 60) -> None:
    """Wait until it answers."""
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                if (await client.get("/healthz")).status == 200:
                    return
            await asyncio.sleep(0.1)

"""A PostgreSQL that is too old is refused with a sentence at every start, and makes a running process not ready."""

import asyncio
import os
import socket
import sys
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.engines import target_of, through

SENTENCE = "PostgreSQL 14 is not supported: DATABASE_URL must name version 15 or newer."
GREETING = b"server_version\0"


class Disguise:
    """A door before the server that makes it say another version."""

    def __init__(self):
        self.version = None
        self._writers = []

    def cut(self):
        """End what is open; what connects next is greeted anew."""
        for writer in self._writers:
            writer.close()

    async def serve(self, reader, writer, connect):
        far_reader, far_writer = await connect()
        self._writers += [writer, far_writer]
        ways = (self.forward(reader, far_writer), self.forward(far_reader, writer, greets=True))
        await asyncio.gather(*ways, return_exceptions=True)

    async def forward(self, reader, writer, *, greets=False):
        try:
            while data := await reader.read(65536):
                writer.write(self.disguised(data) if greets else data)
                await writer.drain()
        finally:
            writer.close()

    def disguised(self, data):
        """ParameterStatus is `S`, the length, a name and a value."""
        at = data.find(b"S", data.find(GREETING) - 5) if GREETING in data else -1
        if at < 0 or self.version is None:
            return data
        end = data.index(b"\0", at + 5 + len(GREETING)) + 1
        status = GREETING + self.version + b"\0"
        return data[:at] + b"S" + (len(status) + 4).to_bytes(4, "big") + status + data[end:]


@asynccontextmanager
async def disguised(url):
    """The address of a door before this server, and the door."""
    door, target = Disguise(), target_of(url)

    def connect():
        host, _, port = target.rpartition(":")
        return asyncio.open_unix_connection(target) if target[0] == "/" else asyncio.open_connection(host, port)

    server = await asyncio.start_server(lambda r, w: door.serve(r, w, connect), "127.0.0.1", 0)
    try:
        yield through(url, server.sockets[0].getsockname()[1]), door
    finally:
        server.close()


def environment(database, url):
    return {
        **os.environ,
        "SCAICMS_ENV": "test",
        "SCAICMS_HOME": str(database.home),
        "SCAICMS_SECRET": database.secret.get_secret_value(),
        "DATABASE_URL": url,
        "REDIS_URL": database.redis_url,
    }


@pytest.mark.parametrize("command", [["serve", "--port", "1"], ["worker"], ["migrate"], ["migrate", "--check"]])
async def test_an_old_server_is_refused_at_the_start(database, command):
    async with disguised(database.database_url) as (url, door):
        door.version = b"14.9"
        pipe = asyncio.subprocess.PIPE
        started = [sys.executable, "-m", "scaicms", *command]
        process = await asyncio.create_subprocess_exec(
            *started, env=environment(database, url), stdout=pipe, stderr=pipe
        )
        _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert SENTENCE in said.decode()
    assert "Traceback" not in said.decode()


async def test_a_process_whose_server_is_now_too_old_is_not_ready(database):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with disguised(database.database_url) as (url, door), aiohttp.ClientSession() as session:
        started = [sys.executable, "-m", "scaicms", "serve", "--port", str(port)]
        process = await asyncio.create_subprocess_exec(*started, env=environment(database, url))
        try:
            checks, tries = await readiness(session, port), 0
            while checks.get("database") != "ok" and tries < 300:
                await asyncio.sleep(0.1)
                checks, tries = await readiness(session, port), tries + 1
            assert checks["database"] == "ok"
            door.version = b"14.9"
            door.cut()
            tries = 0
            while checks.get("database") != SENTENCE and tries < 100:
                await asyncio.sleep(0.1)
                checks, tries = await readiness(session, port), tries + 1
            assert checks["database"] == SENTENCE
        finally:
            process.terminate()
            await process.wait()


async def readiness(session, port):
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return (await answer.json())["checks"]
    except aiohttp.ClientError:
        return {}

"""Connections that nobody has closed and on which nothing comes any more."""

import asyncio
import time

import asyncpg
import pytest

from scaicms.infra import db
from scaicms.infra.db import notices as module
from scaicms.infra.db.notices import Notices
from tests.chaos.proxy import Proxy
from tests.engines import target_of, through


@pytest.fixture
async def door(settings):
    proxy = Proxy(target_of(settings.database_url))
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(module, "RECONNECT_SECONDS", 0.1)


async def test_whoever_waits_on_a_connection_older_than_the_silence_is_told_and_the_next_statement_works(
    database, services, door, quick
):
    dsn = through(database.database_url, door.port)
    reads = await db.open_read_pool(dsn, size=2, statement_timeout=60)
    notices = Notices(dsn)
    await notices.start()
    assert await reads.fetchval("SELECT 1") == 1
    door.go_silent()
    waiting = asyncio.create_task(reads.fetchval("SELECT 2"))
    await asyncio.sleep(1)
    assert not waiting.done(), "nobody knows yet"
    door.speak_again()
    with pytest.raises(asyncpg.PostgresConnectionError):
        await asyncio.wait_for(waiting, 5)
    assert await asyncio.wait_for(reads.fetchval("SELECT 3"), 5) == 3
    await notices.stop()
    reads.terminate()


async def test_a_statement_that_nobody_answers_ends_by_itself(database, services, door):
    dsn = through(database.database_url, door.port)
    reads = await db.open_read_pool(dsn, size=1, statement_timeout=0.1)
    assert await reads.fetchval("SELECT 1") == 1
    door.go_silent()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reads.fetchval("SELECT 2"), 20)
    assert time.monotonic() - began < 15
    reads.terminate()


async def test_a_server_that_is_slow_costs_nobody_a_connection(database, services, door, quick):
    """No new connection is answered either, so it may be the server: those who wait go on waiting."""
    dsn = through(database.database_url, door.port)
    reads = await db.open_read_pool(dsn, size=1, statement_timeout=60)
    notices = Notices(dsn)
    await notices.start()
    door.go_silent()
    waiting = asyncio.create_task(reads.fetchval("SELECT 1"))
    await asyncio.sleep(2)
    assert not waiting.done()
    waiting.cancel()
    await notices.stop()
    reads.terminate()

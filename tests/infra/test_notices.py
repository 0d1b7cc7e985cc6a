"""Notices: what processes are told, and what they forget when they may have missed something."""

import asyncio

import asyncpg
import pytest

from scaicms.infra import db
from scaicms.infra.db import notices as module
from scaicms.infra.db.notices import Notices, notify


async def heard(notices):
    seen = asyncio.Queue()
    notices.subscribe("tests", seen.put_nowait)
    await notices.start()
    assert await asyncio.wait_for(seen.get(), 5) is None  # what came before the first LISTEN was missed
    return seen


async def test_the_process_of_a_change_knows_of_it_when_the_change_is_done(database, client):
    """The next request must not be answered from what the last one has made old."""
    notices = Notices(database.database_url)
    seen = asyncio.Queue()
    notices.subscribe("tests", seen.put_nowait)
    async with db.transaction():
        await notify("tests", "subject")
        assert seen.empty()
    assert seen.get_nowait() == "subject"


async def test_a_notice_comes_with_the_commit_and_not_before(database, client):
    notices = Notices(database.database_url)
    seen = await heard(notices)
    async with db.transaction():
        await notify("tests", "subject")
        await asyncio.sleep(0.05)
        assert seen.empty()
    assert await asyncio.wait_for(seen.get(), 5) == "subject"
    await notices.stop()


async def test_a_lost_connection_forgets_everything_and_listens_again(database, client):
    notices = Notices(database.database_url)
    seen = await heard(notices)
    await db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'scaicms-notices'"
        " AND datname = current_database()"
    )
    assert await asyncio.wait_for(seen.get(), 5) is None
    assert await asyncio.wait_for(seen.get(), 5) is None
    async with db.transaction():
        await notify("tests", "again")
    assert await asyncio.wait_for(seen.get(), 5) == "again"
    await notices.stop()


async def test_a_connection_that_falls_silent_counts_as_lost(database, client, monkeypatch):
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.05)
    notices = Notices(database.database_url)
    seen = await heard(notices)
    await asyncio.sleep(0.3)  # several checks, all answered
    async with db.transaction():
        await notify("tests", "still here")
    assert await asyncio.wait_for(seen.get(), 5) == "still here"
    assert await asyncio.wait_for(seen.get(), 5) == "still here"  # by the connection, as other processes hear it
    # No answer in time, as from a server that is gone without a word.
    monkeypatch.setattr(module, "ANSWER_SECONDS", 1e-9)
    assert await asyncio.wait_for(seen.get(), 5) is None
    await notices.stop()


@pytest.mark.parametrize("error", [asyncpg.InternalClientError("got result for unknown protocol state"), KeyError("x")])
async def test_the_listener_comes_back_from_anything(database, client, monkeypatch, error):
    monkeypatch.setattr(module, "RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.05)
    notices = Notices(database.database_url)
    seen = await heard(notices)
    check = notices._check

    async def broken(connection, closed):
        monkeypatch.setattr(notices, "_check", check)
        raise error

    monkeypatch.setattr(notices, "_check", broken)
    assert await asyncio.wait_for(seen.get(), 5) is None  # it was lost
    assert await asyncio.wait_for(seen.get(), 5) is None  # and listens again
    async with db.transaction():
        await notify("tests", "again")
    assert await asyncio.wait_for(seen.get(), 5) == "again"
    await notices.stop()


async def test_a_subscriber_that_fails_silences_nobody(database, client):
    notices = Notices(database.database_url)

    def fail(_):
        raise ValueError("a bug of a subscriber")

    notices.subscribe("tests", fail)
    seen = await heard(notices)
    assert notices.is_listening
    assert seen.empty()
    await notices.stop()

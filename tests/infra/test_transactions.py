"""What a transaction leaves behind that could not begin, or of which a part failed: nothing."""

import asyncio
import contextlib

import asyncpg
import pytest

from scaicms.features.sites.events import SiteCreated
from scaicms.infra import db
from scaicms.infra.db.dsn import parse_dsn
from scaicms.infra.events import record
from scaicms.kit.ids import new_id
from scaicms.kit.principal import SYSTEM


async def refused(monkeypatch):
    async def refuse(*_):
        raise asyncpg.InterfaceError("the connection is closed")

    with monkeypatch.context() as patched:
        patched.setattr("asyncpg.transaction.Transaction.start", refuse)
        with pytest.raises(asyncpg.InterfaceError):
            async with db.transaction():
                raise AssertionError("it cannot begin")


async def test_the_task_goes_on_with_other_connections(services, settings, monkeypatch):
    await refused(monkeypatch)
    other = await asyncpg.connect(**parse_dsn(settings.database_url))
    await other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'scaicms'"
        " AND datname = current_database()"
    )
    await other.close()
    await asyncio.sleep(0.2)
    async with db.transaction():
        assert await db.fetchval("SELECT 1") == 1


async def test_the_pool_gets_every_connection_back(services, settings, monkeypatch):
    for _ in range(settings.db_pool_size + 1):
        await asyncio.create_task(refused(monkeypatch))
    async with asyncio.timeout(5), db.transaction():
        assert await db.fetchval("SELECT 1") == 1


async def interrupted(turns):
    """Interrupt a transaction after so many turns of the loop, then ask something in the same task."""

    async def begin_and_ask():
        with contextlib.suppress(asyncio.CancelledError):
            async with db.transaction():
                await asyncio.sleep(60)
        return await db.fetchval("SELECT 1")

    task = asyncio.create_task(begin_and_ask())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    return await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("turns", range(1, 7))
async def test_a_transaction_that_is_interrupted_at_its_begin_leaves_nothing_either(services, settings, turns):
    for _ in range(settings.db_pool_size + 2):
        assert await interrupted(turns) == 1
    async with asyncio.timeout(5), db.transaction():
        assert await db.fetchval("SELECT 2") == 2


class WrongError(Exception):
    pass


async def told(site_id):
    """How many facts about a site are there."""
    return await db.fetchval("SELECT count(*) FROM events WHERE site_id = $1", site_id)


async def tell(site_id, *, wrong=False):
    """A use case that may be a part of another, which fails at its end."""
    async with db.joined():
        await record(SiteCreated(site_id=site_id, aggregate_id=site_id, key="k"), actor=SYSTEM)
        if wrong:
            raise WrongError


async def test_a_use_case_by_itself_is_all_or_nothing(services):
    site_id = new_id()
    with pytest.raises(WrongError):
        await tell(site_id, wrong=True)
    assert await told(site_id) == 0
    await tell(site_id)
    assert await told(site_id) == 1


async def test_a_part_that_fails_takes_all_of_it_along(services):
    site_id = new_id()
    with pytest.raises(WrongError):
        async with db.transaction():
            await tell(site_id)
            await tell(site_id, wrong=True)
    assert await told(site_id) == 0


async def test_who_goes_on_after_a_part_failed_keeps_nothing_of_it(services):
    site_id = new_id()
    async with db.transaction():
        await tell(site_id)
        with pytest.raises(WrongError):
            async with db.transaction():
                await tell(site_id)
                await tell(site_id, wrong=True)
        await tell(site_id)
    assert await told(site_id) == 2

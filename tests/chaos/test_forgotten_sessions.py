"""A process dies, or one of its links goes silent, and PostgreSQL keeps the session with its locks: the others go on.

Each case freezes one link right behind a statement, so that the server has the statement and waits for what follows it.
"""

import asyncio
import signal
import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest
import pytest_asyncio

from scaicms.infra.db.sessions import SILENT_SECONDS
from scaicms.infra.jobs.sweeper import LEASE_SECONDS, SWEEP_SECONDS
from tests.chaos.run import API, Ground

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
SITE = {"X-Site-ID": "one"}
# Of a busy machine: starting a worker, a sweep, a job.
MARGIN_SECONDS = 12
# The audit log is linked once a minute.
TRAP_SECONDS = 90
BOUND_SECONDS = SILENT_SECONDS + LEASE_SECONDS + SWEEP_SECONDS + MARGIN_SECONDS


@pytest_asyncio.fixture(scope="module")
async def ground(tmp_path_factory):
    async with Ground.prepared(tmp_path_factory.mktemp("forgotten"), webs=1, workers=2) as ground:
        yield ground


@pytest_asyncio.fixture(autouse=True)
async def cleared(ground):
    yield
    ground.engines.database_door.cut()
    await ground.rest(60)


def owner_of(ground, port):
    """The process whose end of a connection has this port."""
    for worker in (*ground.fleet.workers, *ground.fleet.webs):
        for link in psutil.Process(worker.pid).net_connections():
            if link.laddr and link.laddr.port == port:
                return worker
    raise AssertionError("nobody of the fleet has this port")


async def frozen(ground, words):
    """The process one of whose links is silent behind these words. New workers prepare their statements anew."""
    trap = ground.engines.database_door.freeze_after(words)
    for worker in ground.fleet.workers:
        worker.send(signal.SIGKILL)
    port = await asyncio.wait_for(trap, TRAP_SECONDS)
    return owner_of(ground, port)


async def ticks(ground):
    return await ground.engines.fetchval("SELECT count(*) FROM jobs WHERE name = 'chaos.tick' AND state = 'done'")


async def until(condition, seconds):
    """How long it took until the condition held."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - a row of another process has no event for us
            await asyncio.sleep(0.2)
    return time.monotonic() - began


STATEMENTS = {
    "lease of the sweep": b"UPDATE sweeper SET holder",
    "expired leases": b"FROM jobs j LEFT JOIN workers w",
    "periodic work": b"FOR UPDATE SKIP LOCKED)\nUPDATE schedules",
    "due jobs": b"SELECT id, run_at FROM jobs\n    WHERE queue = q.queue",
    "sign of life": b"INSERT INTO workers",
    "audit chain": b"FROM event_chain FOR UPDATE",
}
FATES = [*((name, "killed") for name in STATEMENTS), ("periodic work", "alive"), ("sign of life", "alive")]


@pytest.mark.parametrize(("statement", "fate"), FATES)
async def test_a_frozen_link_of_a_worker_stops_neither_sweeps_nor_periodic_work_nor_the_feed(ground, statement, fate):
    client = ground.client("forgotten")
    worker = await frozen(ground, STATEMENTS[statement])
    if fate == "killed":
        worker.send(signal.SIGKILL)
    before, began = await ticks(ground), time.monotonic()
    due_at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    body = {"type": "note", "data": {"title": "while frozen"}}
    item = (await client.ask("POST", f"{API}/content", json=body, headers=SITE)).json["id"]
    await client.ask("POST", f"{API}/content/{item}/publish", json={"at": due_at}, headers=SITE)

    async def is_published():
        sql = "SELECT state FROM content_schedule WHERE item_id = $1::text::uuid"
        return await ground.engines.fetchval(sql, item) == "done"

    async def has_ticked():
        return await ticks(ground) >= before + 2

    async def is_told():
        sql = """SELECT count(*) FROM events
                 WHERE aggregate_id = $1::text::uuid AND type = 'content.published' AND position > 0"""
        await client.ask("GET", f"{API}/webhooks/events?after=0", headers=SITE)
        return await ground.engines.fetchval(sql, item) == 1

    for condition in (is_published, has_ticked, is_told):
        await until(condition, BOUND_SECONDS - (time.monotonic() - began))


async def test_a_job_whose_worker_was_killed_behind_a_frozen_link_is_done_once_by_another(ground):
    client = ground.client("forgotten jobs")
    trap = ground.engines.database_door.freeze_after(b"INSERT INTO chaos_effects")
    for worker in ground.fleet.workers:
        worker.send(signal.SIGKILL)
    [job] = (await client.ask("POST", "/chaos/jobs", json={"jobs": [{"name": "chaos.effect"}]})).json["ids"]
    owner_of(ground, await asyncio.wait_for(trap, TRAP_SECONDS)).send(signal.SIGKILL)
    await ground.rest(BOUND_SECONDS)
    rows = await ground.engines.fetch("SELECT step FROM chaos_effects WHERE job_id = $1::text::uuid", job)
    assert len(rows) == 1


async def test_a_job_behind_a_frozen_link_of_a_living_worker_is_done_once_and_not_held_against_it(ground):
    client = ground.client("living")
    trap = ground.engines.database_door.freeze_after(b"INSERT INTO chaos_effects")
    for worker in ground.fleet.workers:
        worker.send(signal.SIGKILL)
    [job] = (await client.ask("POST", "/chaos/jobs", json={"jobs": [{"name": "chaos.effect"}]})).json["ids"]
    await asyncio.wait_for(trap, TRAP_SECONDS)
    await ground.rest(BOUND_SECONDS + 30)
    [row] = await ground.engines.fetch("SELECT state, lost_leases FROM jobs WHERE id = $1::text::uuid", job)
    assert (row["state"], row["lost_leases"]) == ("done", 0)
    rows = await ground.engines.fetch("SELECT step FROM chaos_effects WHERE job_id = $1::text::uuid", job)
    assert len(rows) == 1

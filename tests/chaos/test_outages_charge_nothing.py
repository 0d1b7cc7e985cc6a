"""PostgreSQL goes away under work whose workers live: nothing is charged, set aside or left without a word."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from tests.chaos.run import API, Ground

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
SITE = {"X-Site-ID": "one"}
LEASE_SECONDS = 15.0


@pytest_asyncio.fixture
async def ground(tmp_path):
    async with Ground.prepared(tmp_path, webs=1, workers=2) as ground:
        yield ground


async def state_of(ground, job):
    sql = "SELECT state, attempts, lost_leases, worker FROM jobs WHERE id = $1::text::uuid"
    return (await ground.engines.fetch(sql, job))[0]


async def outage(ground, seconds, by=signal.SIGQUIT):
    """What `pg_ctl restart -m immediate` does, with the server away for a while."""
    postgres = ground.engines.postgres
    postgres.process.send_signal(by)
    await asyncio.to_thread(postgres.process.wait, 30)
    await asyncio.sleep(seconds)
    await ground.engines.restart(postgres)


@pytest.mark.parametrize("away", [0.0, LEASE_SECONDS + 5], ids=["restarts", "away for longer than a lease"])
async def test_outages_under_living_workers_charge_no_job_and_set_none_aside(ground, away):
    client = ground.client("outages")
    pids = {worker.pid for worker in ground.fleet.workers}
    work = [
        {"name": "chaos.steps", "steps": 60, "seconds": 0.5},
        {"name": "chaos.effect", "seconds": 4},
        {"name": "chaos.effect", "seconds": 4},
    ]
    jobs = (await client.ask("POST", "/chaos/jobs", json={"jobs": work})).json["ids"]
    item = (
        await client.ask("POST", f"{API}/content", json={"type": "note", "data": {"title": "out"}}, headers=SITE)
    ).json["id"]
    due_at = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    await client.ask("POST", f"{API}/content/{item}/publish", json={"at": due_at}, headers=SITE)
    for _ in range(4):
        await asyncio.sleep(2.5)
        await outage(ground, away)
    await ground.rest(120)
    for job in jobs:
        row = await state_of(ground, job)
        assert (row["state"], row["attempts"], row["lost_leases"]) == ("done", 1, 0)
    sql = "SELECT state FROM content_schedule WHERE item_id = $1::text::uuid"
    assert await ground.engines.fetchval(sql, item) == "done"
    assert {worker.pid for worker in ground.fleet.workers} == pids, "no worker died"
    counts = "SELECT count(*) FROM chaos_effects WHERE job_id = $1::text::uuid"
    assert [await ground.engines.fetchval(counts, job) for job in jobs] == [60, 1, 1]


async def test_a_job_that_kills_its_worker_is_set_aside_in_between_outages_too(ground):
    client = ground.client("killers")
    [job] = (await client.ask("POST", "/chaos/jobs", json={"jobs": [{"name": "chaos.poison"}]})).json["ids"]
    await asyncio.sleep(5)
    await outage(ground, 0)
    async with asyncio.timeout(260):
        while (await state_of(ground, job))["state"] == "pending":  # noqa: ASYNC110 - a row has no event for us
            await asyncio.sleep(1)
    row = await state_of(ground, job)
    assert (row["state"], row["lost_leases"]) == ("quarantined", 3)
    event = "SELECT count(*) FROM events WHERE aggregate_id = $1::text::uuid AND type = 'job.given_up'"
    assert await ground.engines.fetchval(event, job) == 1

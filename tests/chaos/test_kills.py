"""A process dies at the worst moment there is. Each test says what is true afterwards."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio

from tests.chaos.client import Client
from tests.chaos.fleet_points import BEFORE_COMMIT, BEFORE_DOORBELL, BEFORE_RESPONSE
from tests.chaos.run import API, Ground

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]
SITE = {"X-Site-ID": "one"}
LEASE_SECONDS = 15.0


@pytest_asyncio.fixture(scope="module")
async def ground(tmp_path_factory):
    """One web process and two workers."""
    async with Ground.prepared(tmp_path_factory.mktemp("kills"), webs=1, workers=2) as ground:
        yield ground


@pytest.fixture
def client(ground):
    return ground.client("kills")


async def create(client: Client, title: str):
    body = {"type": "note", "data": {"title": title, "body": f"About {title}."}, "publish": True}
    return await client.ask("POST", f"{API}/content", json=body, headers={**SITE, "Idempotency-Key": title})


async def stored(ground, title):
    return await ground.engines.fetchval("SELECT count(*) FROM entries WHERE data->>'title' = $1", title)


async def found(client, title):
    """How often search finds it, once it finds it at all, within 10 s."""
    for _ in range(100):
        answer = await client.ask("GET", f"{API}/search?q={title}", headers=SITE)
        if answer.json["total"]:
            return answer.json["total"]
        await asyncio.sleep(0.1)
    return 0


async def killed(ground, client, point, title):
    """Create an item on a web process that dies at the point; what was stored right then, and the later answer."""
    web = ground.fleet.webs[0]
    web.arm(point)
    body = {"type": "note", "data": {"title": title, "body": f"About {title}."}, "publish": True}
    first = await client.try_once("POST", f"{API}/content", json=body, headers={**SITE, "Idempotency-Key": title})
    assert first is None, "the process was to die"
    assert not web.failpoint.exists()
    then = await stored(ground, title)
    return then, await create(client, title)


async def test_a_write_killed_before_its_commit_never_was_and_its_retry_makes_one_item(ground, client):
    then, answer = await killed(ground, client, BEFORE_COMMIT, "beforecommit")
    assert (then, answer.status) == (0, 201)
    assert await stored(ground, "beforecommit") == 1
    assert await found(client, "beforecommit") == 1


async def test_a_write_killed_between_commit_and_doorbell_is_indexed_and_its_retry_makes_no_second(ground, client):
    then, answer = await killed(ground, client, BEFORE_DOORBELL, "beforedoorbell")
    assert (then, answer.status) == (1, 201)
    assert await found(client, "beforedoorbell") == 1
    assert await stored(ground, "beforedoorbell") == 1


async def test_a_write_killed_before_its_answer_gets_that_answer_when_asked_again(ground, client):
    then, answer = await killed(ground, client, BEFORE_RESPONSE, "beforeresponse")
    assert (then, answer.status) == (1, 201)
    item = await ground.engines.fetchval("SELECT item_id::text FROM entries WHERE data->>'title' = 'beforeresponse'")
    assert answer.json["id"] == item
    assert await stored(ground, "beforeresponse") == 1
    assert await found(client, "beforeresponse") == 1


async def promise(client, *jobs):
    return (await client.ask("POST", "/chaos/jobs", json={"jobs": list(jobs)})).json["ids"]


async def owner(ground, job):
    """The worker that has begun the job, its row being leased."""
    for _ in range(200):
        name = await ground.engines.fetchval("SELECT worker FROM jobs WHERE id = $1 AND lease_until > now()", job)
        for worker in ground.fleet.workers:
            if name is not None and worker.is_alive and worker.pid == int(name.rsplit(":", 1)[-1].split("-")[0]):
                return worker
        await asyncio.sleep(0.05)
    raise AssertionError("nobody has begun the job")


async def ends(ground, job, seconds):
    """State and effects of the job once it has ended."""
    await ground.rest(seconds)
    state = await ground.engines.fetchval("SELECT state FROM jobs WHERE id = $1", job)
    rows = await ground.engines.fetch("SELECT step FROM chaos_effects WHERE job_id = $1 ORDER BY step", job)
    return state, [row["step"] for row in rows]


async def test_jobs_of_a_killed_worker_are_done_once_by_another_when_their_lease_is_over(ground, client):
    one, many = await promise(
        client, {"name": "chaos.effect", "seconds": 4}, {"name": "chaos.steps", "steps": 8, "seconds": 0.5}
    )
    await asyncio.sleep(1.5)
    for worker in {await owner(ground, one), await owner(ground, many)}:
        worker.send(signal.SIGKILL)
    assert await ends(ground, many, LEASE_SECONDS + 25) == ("done", list(range(8)))
    assert await ends(ground, one, 10) == ("done", [0])


async def test_a_worker_that_wakes_after_its_lease_cannot_double_what_another_did(ground, client):
    # Both end after the worker is frozen and before it wakes; steps go on where the other has come to.
    one, many = await promise(
        client, {"name": "chaos.effect", "seconds": 2}, {"name": "chaos.steps", "steps": 60, "seconds": 0.2}
    )
    frozen = {await owner(ground, one), await owner(ground, many)}
    if len(frozen) == 2:
        # Somebody must be left to take over: the job of several steps is enough then.
        frozen = {await owner(ground, many)}
    for worker in frozen:
        worker.send(signal.SIGSTOP)
    await asyncio.sleep(LEASE_SECONDS)
    async with asyncio.timeout(30):
        # Until somebody takes it over, which the sweeper sees to every few seconds.
        while await ground.engines.fetchval("SELECT fence FROM jobs WHERE id = $1", many) == 1:  # noqa: ASYNC110 - a row
            await asyncio.sleep(0.5)
    for worker in frozen:
        worker.send(signal.SIGCONT)
    assert await ends(ground, many, 40) == ("done", list(range(60)))
    assert await ends(ground, one, 10) == ("done", [0])


async def test_publishing_whose_worker_is_killed_in_the_middle_is_done_once_by_another(ground, client):
    body = {"type": "note", "data": {"title": "duewhenkilled", "body": "Late."}}
    item = (await client.ask("POST", f"{API}/content", json=body, headers=SITE)).json["id"]
    due_at = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    asked = await client.ask("POST", f"{API}/content/{item}/publish", json={"at": due_at}, headers=SITE)
    [job] = [UUID(job) for job in asked.json["job_ids"]]
    async with ground.engines.session() as session:
        await session.execute("BEGIN")
        # The worker comes as far as this lock.
        await session.execute("SELECT 1 FROM items WHERE id = $1::text::uuid FOR UPDATE", item)
        (await owner(ground, job)).send(signal.SIGKILL)
    await ground.rest(LEASE_SECONDS + 25)
    [row] = await ground.engines.fetch("SELECT state, late_by FROM content_schedule WHERE job_id = $1", job)
    published = "SELECT count(*) FROM events WHERE aggregate_id::text = $1 AND type = 'content.published'"
    assert (row["state"], await ground.engines.fetchval(published, item)) == ("done", 1)
    assert LEASE_SECONDS - 2 < row["late_by"] < LEASE_SECONDS + 25


async def hurry(ground, job):
    """Let the leases of dead workers, and what keeps their jobs apart, be over at once."""
    while True:
        rows = await ground.engines.fetch("SELECT worker FROM jobs WHERE id = $1 AND state = 'pending'", job)
        living = {str(worker.pid) for worker in ground.fleet.workers if worker.is_alive}
        if rows and rows[0]["worker"] is not None and rows[0]["worker"].rsplit(":", 1)[-1] not in living:
            await ground.engines.fetch(
                """UPDATE jobs SET run_at = least(run_at, now()), lease_until = lease_until - interval '1 minute'
                   WHERE id = $1 AND state = 'pending'""",
                job,
            )
        await asyncio.sleep(0.5)


async def test_a_job_that_kills_its_worker_is_set_aside_after_three(ground, client):
    poison, harmless = await promise(client, {"name": "chaos.poison"}, {"name": "chaos.effect"})
    hurrying = asyncio.create_task(hurry(ground, poison))
    state, steps = await ends(ground, poison, 60)
    hurrying.cancel()
    assert (state, steps) == ("quarantined", [])
    assert await ground.engines.fetchval("SELECT lost_leases FROM jobs WHERE id = $1", poison) == 3
    assert await ends(ground, harmless, 30) == ("done", [0])


async def test_workers_stopped_in_the_middle_hand_their_jobs_on_uncharged(ground, client):
    [many] = await promise(client, {"name": "chaos.steps", "steps": 12, "seconds": 0.5})
    worker = await owner(ground, many)
    worker.send(signal.SIGTERM)
    assert await ends(ground, many, 20) == ("done", list(range(12)))
    row = (await ground.engines.fetch("SELECT attempts, lost_leases FROM jobs WHERE id = $1", many))[0]
    assert (row["attempts"], row["lost_leases"]) == (1, 0)

"""Several workers, editors and cancellations about one time."""

import asyncio
from contextlib import asynccontextmanager

from scaicms import registry
from scaicms.infra import db
from scaicms.infra.jobs.runner import Runner
from tests.features.content.schedules import come, create, events, job_of, listed, schedule
from tests.infra.jobs_at_hand import until


def worker(services, name):
    return Runner(registry.tasks(), services, name)


async def test_of_two_workers_one_does_what_is_due(articles, services):
    item = await create(articles)
    asked = await schedule(articles, item)
    await come(item["id"])
    job_id = await job_of(asked["schedule_id"])
    taken = await asyncio.gather(*(worker(services, f"w{n}").run(job_id) for n in range(2)))
    assert sorted(taken) == [False, True]
    assert await events(item["id"], "content.published") == 1


async def test_a_worker_that_lost_its_lease_in_the_middle_doubles_nothing(articles, services):
    """Both have begun and wait for the item, which somebody holds; then both go on."""
    item = await create(articles)
    asked = await schedule(articles, item)
    await come(item["id"])
    job_id = await job_of(asked["schedule_id"])
    async with elsewhere(services) as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM items WHERE id = $1::uuid FOR UPDATE", item["id"])
        first = asyncio.create_task(worker(services, "first").run(job_id))
        await until(lambda: waiting(services, 1))
        await db.execute("UPDATE jobs SET lease_until = NULL WHERE id = $1", job_id)
        second = asyncio.create_task(worker(services, "second").run(job_id))
        await until(lambda: waiting(services, 2))
    await asyncio.gather(first, second)
    assert await events(item["id"], "content.published") == 1
    assert [row["state"] for row in await listed(articles, item)] == ["done"]
    done = await db.fetchrow("SELECT state, worker FROM jobs WHERE id = $1", job_id)
    assert (done["state"], done["worker"]) == ("done", "second")


async def waiting(services, number):
    """Whether so many sessions wait for a lock."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return await db.fetchval(sql) == number


@asynccontextmanager
async def elsewhere(services):
    """A connection of somebody else."""
    async with services.resources.reads.acquire() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        try:
            yield connection
        finally:
            await connection.execute("SET default_transaction_read_only = on")


async def test_fifty_at_the_same_second_are_each_done_once(articles, services):
    items = [await create(articles, title=f"Number {n}") for n in range(50)]
    for item in items:
        await schedule(articles, item)
        await come(item["id"])
    workers = [worker(services, f"w{n}") for n in range(3)]
    while any(await asyncio.gather(*(one.run_due("default", 10) for one in workers))):
        pass
    for item in items:
        assert await events(item["id"], "content.published") == 1
    assert (await articles.get("/content/schedule?state=done")).json["total"] == 50
    assert (await articles.get("/content?type=article")).json["total"] == 50


async def test_a_cancellation_and_the_doing_never_both_happen(articles, services):
    outcomes = set()
    for _ in range(12):
        item = await create(articles)
        asked = await schedule(articles, item)
        await come(item["id"])
        job_id = await job_of(asked["schedule_id"])
        cancelled, _ = await asyncio.gather(
            articles.delete(f"/content/schedule/{asked['schedule_id']}"), worker(services, "w").run(job_id)
        )
        assert cancelled.status in (204, 409)
        [row] = await listed(articles, item)
        assert row["state"] == ("cancelled" if cancelled.status == 204 else "done")
        assert await events(item["id"], "content.published") == (cancelled.status == 409)
        outcomes.add(cancelled.status)
    assert outcomes


async def test_deleting_and_doing_at_the_same_time_never_wait_for_each_other_for_ever(articles, services):
    for _ in range(12):
        item = await create(articles)
        asked = await schedule(articles, item)
        await come(item["id"])
        job_id = await job_of(asked["schedule_id"])
        deleted, _ = await asyncio.gather(articles.delete(f"/content/{item['id']}"), worker(services, "w").run(job_id))
        assert deleted.status == 204
        assert (await articles.get(f"/content/{item['id']}?status=published")).status == 404
        state = await db.fetchval("SELECT state FROM content_schedule WHERE id = $1::uuid", asked["schedule_id"])
        assert state in ("done", "cancelled")
        assert await db.fetchval("SELECT state FROM jobs WHERE id = $1", job_id) == "done"


async def test_a_job_that_ended_without_doing_it_shows(articles):
    """Stopped by an operator, or dead: the row does not go on promising it."""
    for state, shown in (("cancelled", "cancelled"), ("dead", "failed"), ("quarantined", "failed")):
        item = await create(articles)
        asked = await schedule(articles, item)
        await db.execute(
            "UPDATE jobs SET state = $2, last_error = 'Why.' WHERE id = $1", await job_of(asked["schedule_id"]), state
        )
        [row] = await listed(articles, item)
        assert (row["state"], row["error"]) == (shown, "Why.")
        told = (await articles.get(f"/content/{item['id']}")).json
        assert (told["status"], told["publish_at"]) == ("draft", None)
        assert [found["id"] for found in await listed(articles, item, state=shown)] == [asked["schedule_id"]]

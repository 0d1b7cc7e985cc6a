"""The fleet: turns between sites, priorities, cancelling, pausing, versions, periodic work, retention."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from scaicms.infra import db
from scaicms.infra.jobs import Job, JobPayload, Periodic, PermanentJobError, claims, control, enqueue, enqueue_all
from scaicms.infra.jobs import worker as jobs_worker
from scaicms.infra.jobs.claims import MAX_SITES
from scaicms.infra.jobs.declare import Task
from scaicms.infra.jobs.periodic import declare
from scaicms.infra.jobs.runner import Runner
from scaicms.infra.jobs.sweeper import sweep
from tests.infra.jobs_at_hand import (
    JOB,
    LOOSE,
    Payload,
    add,
    age,
    bells,
    is_,
    nothing,
    row,
    runner_of,
    until,
    worker_of,
    working,
)


def job_of_test():
    """A name of its own: what other tests left waiting is not known to the worker, and stays."""
    return Job(f"tests.{uuid4().hex}", "media", Payload)


async def add_for(job, site_id, number=1, **given):
    async with db.transaction():
        await enqueue_all([job.request(Payload(number=n), site_id=site_id, **given) for n in range(number)])


async def claim(job, limit, **given):
    return await claims.claim_due("media", worker="w", known={job.name: job.version}, limit=limit, **given)


async def test_sites_take_turns(services):
    job, flood, other = job_of_test(), uuid4(), uuid4()
    await add_for(job, flood, 50)
    await add_for(job, other)
    await add_for(job, None)
    first = await claim(job, 4)
    assert {claimed.site_id for claimed in first[:3]} == {flood, other, None}
    assert first[3].site_id == flood


async def test_a_claim_goes_on_with_the_site_after_the_one_served_last(services):
    job, sites = job_of_test(), sorted(uuid4() for _ in range(5))
    for site_id in sites:
        await add_for(job, site_id, 2)
    order, after = [], sites[2]
    for _ in range(5):
        (claimed,) = await claim(job, 1, after=after)
        after = claimed.site_id
        order.append(after)
    assert order == [sites[3], sites[4], sites[0], sites[1], sites[2]]


async def test_more_sites_than_one_claim_looks_at_are_all_served(services):
    job, sites = job_of_test(), {uuid4() for _ in range(MAX_SITES + 10)}
    for site_id in sites:
        await add_for(job, site_id, 3)
    runner, served = runner_of(services, nothing, job), set()
    for _ in range(2):
        served |= {claimed.site_id for claimed in await runner.claim_due("media", MAX_SITES)}
    assert served == sites


async def test_priority_comes_before_turns_and_age(services):
    job, site_id = job_of_test(), uuid4()
    await add_for(job, site_id, 3)
    await add_for(Job(job.name, "media", Payload, priority=5), site_id)
    (first,) = await claim(job, 1)
    assert await db.fetchval("SELECT priority FROM jobs WHERE id = $1", first.id) == 5


async def test_a_site_whose_slow_jobs_hold_every_slot_leaves_one_to_the_others(services):
    job, slow, quick = job_of_test(), uuid4(), uuid4()
    begun = asyncio.Event()

    async def handler(payload, running):
        if running.site_id == slow:
            begun.set()
            await asyncio.sleep(30)

    await add_for(job, slow, 10)
    async with working(worker_of(services, handler, job, concurrency=2), services.resources.redis) as worker:
        await begun.wait()
        async with db.transaction():
            job_id = await enqueue(job.request(Payload(), site_id=quick))
        await until(lambda: is_(job_id, "done"), 4)
        assert len(worker.tasks) == 2


async def test_workers_that_reach_for_the_same_doorbells_both_begin(services, monkeypatch):
    monkeypatch.setattr(jobs_worker, "IDLE_POLL_SECONDS", 60.0)
    job, redis = job_of_test(), services.resources.redis

    async def handler(payload, running):
        await asyncio.sleep(30)

    one, other = (worker_of(services, handler, job, concurrency=2) for _ in range(2))
    async with working(one, redis), working(other, redis):
        await asyncio.sleep(0.2)  # both have looked once, found nothing and wait for a doorbell
        await add_for(job, uuid4(), 10)

        async def both():
            return len(one.tasks) >= 2 and len(other.tasks) >= 2

        await until(both)


async def test_a_backlog_is_worked_off_without_doorbells(services):
    job, site_id = job_of_test(), uuid4()
    await add_for(job, site_id, 60)
    await services.resources.redis.flushall()

    async def all_done():
        return not await db.fetchval("SELECT count(*) FROM jobs WHERE name = $1 AND state = 'pending'", job.name)

    async with working(worker_of(services, nothing, job)):
        await until(all_done, 2.5)  # before a sweep could ring


async def test_cancelling_a_waiting_job_ends_it(services):
    job_id = await add(dedupe_key="cancel-me")
    async with db.transaction():
        assert await control.cancel(job_id, site_id=None) == "cancelled"
        assert await control.cancel(job_id, site_id=None) is None
    assert await runner_of(services, nothing).run(job_id) is False
    assert await add(dedupe_key="cancel-me") != job_id


async def test_cancelling_an_atomic_job_undoes_what_it_did(services):
    begun = asyncio.Event()

    async def handler(payload, job):
        await db.execute("CREATE TABLE tests_cancelled (x int)")
        begun.set()
        await asyncio.sleep(30)

    job_id = await add()
    running = asyncio.create_task(runner_of(services, handler).run(job_id))
    await begun.wait()
    async with db.transaction():
        assert await control.cancel(job_id, site_id=None) == "pending"
    await asyncio.wait_for(running, 3)
    found = await row(job_id)
    assert (found["state"], found["attempts"]) == ("cancelled", 0)
    assert await db.fetchval("SELECT to_regclass('tests_cancelled')") is None


async def test_cancelling_a_job_of_several_transactions_stops_it_at_its_checkpoint(services):
    begun, told = asyncio.Event(), asyncio.Event()

    async def handler(payload, job):
        async with db.transaction():
            await job.checkpoint({"done": 1})
        begun.set()
        await told.wait()
        async with db.transaction():
            await job.checkpoint({"done": 2})

    job_id = await add(LOOSE)
    running = asyncio.create_task(runner_of(services, handler, LOOSE).run(job_id))
    await begun.wait()
    async with db.transaction():
        await control.cancel(job_id, site_id=None)
    await asyncio.sleep(0.2)
    assert not running.done()
    told.set()
    await asyncio.wait_for(running, 3)
    found = await row(job_id)
    assert (found["state"], found["progress"]) == ("cancelled", '{"done": 1}')


async def test_a_cancelled_job_that_fails_is_not_tried_again(services):
    begun = asyncio.Event()

    async def handler(payload, job):
        begun.set()
        await asyncio.sleep(0.3)
        raise ConnectionError("gone")

    job_id = await add(LOOSE)
    running = asyncio.create_task(runner_of(services, handler, LOOSE).run(job_id))
    await begun.wait()
    async with db.transaction():
        await control.cancel(job_id, site_id=None)
    await running
    assert await is_(job_id, "cancelled")


async def test_a_dead_job_is_tried_again_when_somebody_says_so(services):
    async def broken(payload, job):
        raise PermanentJobError("broken")

    job_id = await add()
    await runner_of(services, broken).run(job_id)
    async with db.transaction():
        assert await control.retry(job_id, site_id=uuid4()) is False
        assert await control.retry(job_id, site_id=None) is True
    assert await runner_of(services, nothing).run(job_id) is True
    found = await row(job_id)
    assert (found["state"], found["attempts"], found["last_error"]) == ("done", 1, None)


async def test_failed_jobs_are_replayed_in_bulk_by_site_and_name(services):
    job, mine, other = job_of_test(), uuid4(), uuid4()
    await add_for(job, mine, 5)
    await add_for(job, other, 2)
    await db.execute("UPDATE jobs SET state = 'dead', finished_at = now() WHERE name = $1", job.name)
    async with db.transaction():
        assert await control.retry_failed(site_id=mine, queue="media", name=job.name, limit=3) == 3
        assert await control.retry_failed(site_id=mine, queue=None, name=None, limit=100) == 2
        assert await control.retry_failed(site_id=mine, queue=None, name=None, limit=100) == 0
    assert len(await claim(job, 10)) == 5


async def test_nobody_takes_work_from_a_paused_queue(services):
    job_id = await add(job := job_of_test())
    assert await control.pause("media") is True
    assert await control.pause("media") is False
    try:
        assert await claim(job, 5) == []
        assert await runner_of(services, nothing, job).run(job_id) is False
        await age(job_id)
        await services.resources.redis.flushall()
        await sweep(services.resources.redis)
        assert str(job_id) not in await bells(services.resources.redis)
    finally:
        assert await control.resume("media") is True
    assert [claimed.id for claimed in await claim(job, 5)] == [job_id]


class Renamed(JobPayload):
    amount: int


async def test_a_payload_of_an_older_release_is_brought_up_to_date(services):
    name, seen = f"tests.{uuid4().hex}", []
    newer = Job(name, "media", Renamed, version=2, upgrades={1: lambda raw: {"amount": raw["number"]}})

    async def handler(payload, job):
        seen.append(payload.amount)

    older = await add(Job(name, "media", Payload))
    await runner_of(services, handler, newer).run(older)
    assert seen == [0]
    async with db.transaction():
        newest = await enqueue(newer.request(Renamed(amount=7), site_id=None))
    assert await runner_of(services, nothing, Job(name, "media", Payload)).run(newest) is False
    await runner_of(services, handler, newer).run(newest)
    assert seen == [0, 7]


def test_a_new_version_without_an_upgrade_is_refused_where_it_is_declared():
    with pytest.raises(TypeError, match="no upgrade from version 1"):
        Job("tests.hasty", "media", Payload, version=2)


async def test_periodic_work_is_promised_once_by_however_many_sweepers(services):
    redis, job = services.resources.redis, job_of_test()
    periodic = [Periodic(job, Payload(), timedelta(hours=1))]
    await declare(periodic)
    await declare(periodic)
    await asyncio.gather(*(sweep(redis, periodic) for _ in range(4)))

    async def promised():
        return await db.fetchval("SELECT count(*) FROM jobs WHERE name = $1", job.name)

    assert await promised() == 1
    await Runner([Task(job, nothing)], services, "w").run_due("media", 5)
    # Nobody ran for three periods: it is done once, and next on the same grid.
    await db.execute("UPDATE schedules SET next_at = next_at - interval '4 hours' WHERE name = $1", job.name)
    before = await db.fetchval("SELECT next_at FROM schedules WHERE name = $1", job.name)
    await asyncio.gather(*(sweep(redis, periodic) for _ in range(4)))
    assert await promised() == 2
    after = await db.fetchval("SELECT next_at FROM schedules WHERE name = $1", job.name)
    assert (after - before).total_seconds() % 3600 == 0
    assert await db.fetchval("SELECT $1::timestamptz > now()", after)


async def test_a_deferred_job_starts_when_it_is_due(services):
    job, redis = job_of_test(), services.resources.redis
    async with working(worker_of(services, nothing, job), redis):
        async with db.transaction():
            moment = await db.fetchval("SELECT now() + interval '2 seconds'")
            job_id = await enqueue(job.request(Payload(), site_id=None, run_at=moment))
        await sweep(redis)
        await until(lambda: is_(job_id, "done"), 4)
    late = ((await row(job_id))["started_at"] - moment).total_seconds()
    assert 0 <= late < 0.9, "it waited for the poll after its doorbell"


async def test_ended_jobs_are_kept_for_their_time(services):
    job = job_of_test()
    await add_for(job, None, 4)
    ages = {"done": 8, "cancelled": 2, "dead": 30, "quarantined": 100}
    ids = [found["id"] for found in await db.fetch("SELECT id FROM jobs WHERE name = $1", job.name)]
    for job_id, (state, days) in zip(ids, ages.items(), strict=True):
        await db.execute(
            "UPDATE jobs SET state = $2, finished_at = now() - $3 * interval '1 day' WHERE id = $1",
            job_id, state, float(days),
        )  # fmt: skip
    await control.prune(done=timedelta(days=7), failed=timedelta(days=90), limit=100)
    left = await db.fetch("SELECT state FROM jobs WHERE name = $1", job.name)
    assert {found["state"] for found in left} == {"cancelled", "dead"}


async def test_a_worker_that_stops_hands_back_what_it_cannot_finish(services):
    begun = asyncio.Event()

    async def handler(payload, job):
        begun.set()
        await asyncio.sleep(30)

    job_id = await add(job := job_of_test())
    async with working(worker_of(services, handler, job), services.resources.redis):
        await begun.wait()
    found = await row(job_id)
    assert (found["state"], found["attempts"], found["lease_until"]) == ("pending", 0, None)


async def test_a_job_whose_handler_does_not_exist_here_waits(services):
    job_id = await add(job_of_test())
    assert await runner_of(services, nothing, JOB).run_due("media", 1000) >= 0
    assert await is_(job_id, "pending")


async def test_jobs_lost_together_twice_are_done_apart(services):
    """So that a job that kills its worker a third time takes no innocent one with it."""
    job, redis = job_of_test(), services.resources.redis
    await add_for(job, None, 8)
    for _ in range(2):
        for claimed in await claim(job, 8):
            await age(claimed.id)
        await sweep(redis)
    moments = {found["run_at"] for found in await db.fetch("SELECT run_at FROM jobs WHERE name = $1", job.name)}
    assert len(moments) == 8
    assert (max(moments) - min(moments)).total_seconds() > 1
    assert await db.fetchval("SELECT bool_and(state = 'pending') FROM jobs WHERE name = $1", job.name)


async def test_a_job_may_come_back_while_its_stale_attempt_still_goes_on(services):
    job, begun, told = job_of_test(), [], asyncio.Event()

    async def handler(payload, running):
        begun.append(running.id)
        if len(begun) == 1:
            await told.wait()

    async with working(worker_of(services, handler, job), services.resources.redis) as worker:
        job_id = await add(job)
        await until(lambda: is_held(job_id))
        await age(job_id)
        await sweep(services.resources.redis)
        await until(lambda: is_(job_id, "done"))
        told.set()
        await until(lambda: asyncio.sleep(0, not worker.tasks))
    found = await row(job_id)
    assert (len(begun), found["attempts"], found["lost_leases"]) == (2, 1, 1)


async def is_held(job_id):
    return (await row(job_id))["lease_until"] is not None

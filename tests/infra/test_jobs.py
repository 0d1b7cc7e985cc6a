"""The ledger: leases, fences, retries, coalescing; what survives when workers and Redis do not."""

import asyncio
from datetime import timedelta

import pytest
from arq.worker import Worker

from scaicms.infra import db
from scaicms.infra.jobs import (
    Job,
    JobCancelledError,
    JobYieldError,
    PermanentJobError,
    StaleLeaseError,
    TransientJobError,
    claims,
    enqueue,
    ledger,
)
from scaicms.infra.jobs.doorbell import arq_queue
from scaicms.infra.jobs.sweeper import sweep
from scaicms.infra.jobs.worker import RUNNER, arq_options
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import NotFoundError
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


async def test_a_job_is_done_once_however_often_the_bell_rings(services):
    calls = []

    async def handler(payload, job):
        calls.append(job.id)
        await asyncio.sleep(0.05)

    runner, job_id = runner_of(services, handler), await add()
    answers = await asyncio.gather(*(runner.run(job_id) for _ in range(5)))
    assert (sorted(answers), calls) == ([False] * 4 + [True], [job_id])
    assert await runner.run(job_id) is False
    assert (await row(job_id))["state"] == "done"


async def test_a_rolled_back_transaction_leaves_no_job(services):
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            job_id = await enqueue(JOB.request(Payload(), site_id=None))
            raise ZeroDivisionError
    assert await row(job_id) is None


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (TransientJobError("later"), "pending"),
        (ConnectionError("gone"), "pending"),
        (ValueError("bug"), "pending"),
        (PermanentJobError("never"), "dead"),
        (NotFoundError(), "dead"),
        (JobCancelledError(), "cancelled"),
    ],
)
async def test_failures_are_classified(services, error, state):
    async def handler(payload, job):
        raise error

    job_id = await add()
    await runner_of(services, handler).run(job_id)
    found = await row(job_id)
    assert found["state"] == state
    assert found["lease_until"] is None
    assert found["attempts"] == (0 if state == "cancelled" else 1)


async def test_the_last_attempt_is_dead_and_says_why(services):
    async def handler(payload, job):
        raise TransientJobError("still broken", retry_after=0)

    runner, job_id = runner_of(services, handler), await add()
    await runner.run(job_id)
    await age(job_id)
    await runner.run(job_id)
    found = await row(job_id)
    assert (found["state"], found["attempts"]) == ("dead", 2)
    assert "still broken" in found["last_error"]


async def test_a_failed_atomic_job_leaves_no_effect(services):
    async def handler(payload, job):
        await db.execute("CREATE TABLE tests_effect (x int)")
        raise ValueError("after the effect")

    await runner_of(services, handler).run(await add())
    assert await db.fetchval("SELECT to_regclass('tests_effect')") is None


async def test_who_lost_the_lease_cannot_finish_nor_leave_an_effect(services):
    async def handler(payload, job):
        await db.execute("CREATE TABLE tests_stale (x int)")
        await asyncio.shield(asyncio.create_task(steal(job.id)))

    async def steal(job_id):
        """Another worker, on another connection: the effect's transaction has not touched the row yet."""
        async with services.resources.reads.acquire() as connection:
            await connection.execute("SET default_transaction_read_only = off")
            await connection.execute("UPDATE jobs SET fence = fence + 1 WHERE id = $1", job_id)
            await connection.execute("SET default_transaction_read_only = on")

    job_id = await add()
    await runner_of(services, handler).run(job_id)
    assert (await row(job_id))["state"] == "pending"
    assert await db.fetchval("SELECT to_regclass('tests_stale')") is None


async def test_checkpoints_keep_progress_and_refuse_the_stale(services):
    seen = []

    async def handler(payload, job):
        seen.append(job.progress)
        async with db.transaction():
            await job.checkpoint({"done": len(seen)})
        if len(seen) == 1:
            raise JobYieldError
        await db.execute("UPDATE jobs SET fence = fence + 1 WHERE id = $1", job.id)
        with pytest.raises(StaleLeaseError):
            await job.checkpoint({"done": 99})

    runner, job_id = runner_of(services, handler, LOOSE), await add(LOOSE)
    await runner.run(job_id)
    found = await row(job_id)
    assert (found["state"], found["attempts"], found["lease_until"]) == ("pending", 0, None)
    await runner.run(job_id)
    assert seen == [None, {"done": 1}]


@pytest.mark.parametrize("seconds", [60, 0.9])
async def test_a_job_that_gives_way_waits_for_so_long_and_is_charged_nothing(services, seconds):
    async def handler(payload, job):
        raise JobYieldError(after=seconds)

    job_id, began = await add(LOOSE), utcnow()
    await runner_of(services, handler, LOOSE).run(job_id)
    waiting = await row(job_id)
    assert (waiting["state"], waiting["attempts"], waiting["lease_until"]) == ("pending", 0, None)
    assert timedelta(seconds=seconds) <= waiting["run_at"] - began <= timedelta(seconds=seconds + 5)


async def test_a_cancelled_worker_hands_its_job_back_uncharged(services):
    async def handler(payload, job):
        await asyncio.sleep(60)

    job_id = await add()
    task = asyncio.create_task(runner_of(services, handler).run(job_id))
    await asyncio.sleep(0.1)
    assert (await row(job_id))["lease_until"] is not None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    found = await row(job_id)
    assert (found["state"], found["attempts"], found["lease_until"]) == ("pending", 0, None)


async def test_an_unknown_job_stays_pending(services):
    job_id = await add(Job("tests.newer", "media", Payload))
    assert await runner_of(services, nothing).run(job_id) is False
    assert (await row(job_id))["state"] == "pending"


async def test_a_deferred_job_waits_and_a_payload_that_does_not_fit_is_dead(services):
    runner = runner_of(services, nothing)
    deferred = await add(run_at=utcnow() + timedelta(hours=1))
    assert await runner.run(deferred) is False
    odd = await add()
    await db.execute("""UPDATE jobs SET payload = '{"other": 1}' WHERE id = $1""", odd)
    await runner.run(odd)
    assert (await row(odd))["state"] == "dead"


async def test_equal_requests_coalesce_until_a_worker_begins(services):
    first, second = await add(dedupe_key="k1"), await add(dedupe_key="k1")
    assert first == second
    await claims.claim(first, worker="w", known={JOB.name: 1})
    assert await add(dedupe_key="k1") != first


async def test_a_change_made_while_its_twin_waits_is_seen_by_the_run(services):
    """The claim waits for the transaction that coalesced: the run must see what that one wrote."""
    job_id = await add(dedupe_key="k2")
    order = []

    async def change():
        async with db.transaction():
            await enqueue(JOB.request(Payload(number=7), site_id=None, dedupe_key="k2"))
            await asyncio.sleep(0.2)
            order.append("committed")

    async def handler(payload, job):
        order.append(payload.number)

    changing = asyncio.create_task(change())
    await asyncio.sleep(0.05)
    await runner_of(services, handler).run(job_id)
    await changing
    assert order == ["committed", 7]


async def test_the_sweeper_rings_for_what_redis_forgot(services):
    redis = services.resources.redis
    job_id = await add(Job("tests.forgotten", "webhooks", Payload))  # a queue where no other test leaves anything due
    assert str(job_id) in await bells(redis, "webhooks")
    await redis.flushall()
    await age(job_id)
    await sweep(redis)
    assert await bells(redis, "webhooks") == {str(job_id)}
    await sweep(redis)
    assert await redis.zcard(arq_queue("webhooks")) == 1


async def test_the_sweeper_takes_over_from_the_dead_and_sets_killers_aside(services):
    redis, job_id = services.resources.redis, await add()
    for lost in range(3):
        await age(job_id)
        assert await claims.claim(job_id, worker="doomed", known={JOB.name: 1}) is not None, lost
        await age(job_id)
        while await sweep(redis):
            pass
    found = await row(job_id)
    assert (found["state"], found["lost_leases"]) == ("quarantined", 3)


async def test_workers_do_due_jobs_while_redis_is_away(services):
    job = Job("tests.away", "media", Payload)
    redis = services.resources.redis.__class__(host="127.0.0.1", port=1, socket_connect_timeout=0.1)
    async with working(worker_of(services, nothing, job, redis=redis)):
        await asyncio.sleep(0.2)  # past the first look, which needs no doorbell
        job_id = await add(job)
        await until(lambda: is_(job_id, "done"))


async def test_an_idle_worker_begins_at_once_when_the_bell_rings(services):
    job = Job("tests.woken", "media", Payload)
    redis = services.resources.redis
    async with working(worker_of(services, nothing, job), redis):
        await asyncio.sleep(0.5)
        waits = []
        for _ in range(5):
            job_id = await add(job)
            await until(lambda job_id=job_id: is_(job_id, "done"))
            found = await row(job_id)
            waits.append((found["started_at"] - found["created_at"]).total_seconds())
    assert min(waits) < 0.5, "it slept until its next poll"


async def test_arqs_own_worker_answers_the_same_bell(services):
    job = Job("tests.plain_arq", "media", Payload)
    options = arq_options("media", concurrency=5, drain_seconds=1)
    runner = runner_of(services, nothing, job)
    worker = Worker(redis_pool=services.resources.redis, handle_signals=False, ctx={RUNNER: runner}, **options)
    running = asyncio.create_task(worker.async_run())
    job_id = await add(job)
    await until(lambda: is_(job_id, "done"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_backoff_grows_and_is_bounded():
    assert max(ledger.backoff_seconds(0) for _ in range(200)) <= ledger.BACKOFF_BASE_SECONDS
    assert max(ledger.backoff_seconds(50) for _ in range(200)) <= ledger.BACKOFF_CAP_SECONDS

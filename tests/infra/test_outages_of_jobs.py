"""Outages are charged to no job; errors are described in our own words; dead workers are told from living ones."""

import asyncpg
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from scaicms.infra import db
from scaicms.infra.jobs import JobYieldError, PermanentJobError, TransientJobError, claims, presence
from scaicms.infra.jobs.failures import OUTAGE, UNEXPECTED
from scaicms.infra.jobs.outages import is_outage
from scaicms.infra.jobs.sweeper import sweep
from scaicms.kit.errors import NotFoundError
from tests.infra.jobs_at_hand import JOB, LOOSE, add, age, row, runner_of


async def refused():
    """What asyncpg raises where nobody listens."""
    await asyncpg.connect(host="127.0.0.1", port=1, user="nobody", database="none")


async def raised_by(function):
    try:
        await function()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.InternalClientError("got result for unknown protocol state"),
        RedisConnectionError("Error 111 connecting"),
    ],
)
async def test_an_outage_during_a_job_charges_nothing_and_names_no_library(services, error):
    async def handler(payload, job):
        raise error

    job_id = await add()
    await runner_of(services, handler).run(job_id)
    found = await row(job_id)
    assert (found["state"], found["attempts"], found["outages"], found["lease_until"]) == ("pending", 0, 1, None)
    assert found["last_error"] is None


async def test_who_refuses_the_database_is_told_from_who_refuses_a_receiver():
    assert is_outage(await raised_by(refused))
    assert not is_outage(ConnectionRefusedError("a receiver"))
    assert not is_outage(FileNotFoundError("/a/path"))


async def test_a_job_that_meets_outages_alone_is_charged_in_the_end(services):
    """It may be what brings the database down."""

    async def handler(payload, job):
        raise asyncpg.CrashShutdownError("terminating connection because of crash of another server process")

    runner, job_id = runner_of(services, handler), await add()
    for _ in range(20):
        await age(job_id)
        await runner.run(job_id)
    assert (await row(job_id))["attempts"] == 0
    for _ in range(2):
        await age(job_id)
        await runner.run(job_id)
    found = await row(job_id)
    assert (found["state"], found["attempts"], found["last_error"]) == ("dead", 2, OUTAGE)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "/srv/scaicms/files/upload"), UNEXPECTED),
        (ValueError("password=hunter2"), UNEXPECTED),
        (asyncpg.UniqueViolationError('duplicate key value violates unique constraint "items_pkey"'), UNEXPECTED),
        (TransientJobError("The mail server is busy."), "The mail server is busy."),
        (PermanentJobError("The file has no header."), "The file has no header."),
        (NotFoundError(), "not_found: There is nothing here with this id."),
    ],
)
async def test_last_error_is_a_sentence_of_ours(services, error, said):
    async def handler(payload, job):
        raise error

    job_id = await add()
    await runner_of(services, handler).run(job_id)
    assert (await row(job_id))["last_error"] == said


async def lose(services, job_id):
    """The lease of a job runs out under a worker of which nothing is known."""
    await age(job_id)
    assert await claims.claim(job_id, worker="doomed", known={JOB.name: 1, LOOSE.name: 1}) is not None
    await age(job_id)
    await sweep(services.resources.redis)


async def test_progress_sets_the_counts_to_zero_and_the_same_progress_again_does_not(services):
    progress = {"done": 1}

    async def handler(payload, job):
        async with db.transaction():
            await job.checkpoint(progress)
        raise JobYieldError

    job_id = await add(LOOSE)
    await lose(services, job_id)
    assert (await row(job_id))["lost_leases"] == 1
    await age(job_id)
    await runner_of(services, handler, LOOSE).run(job_id)
    assert (await row(job_id))["lost_leases"] == 0
    await lose(services, job_id)
    await age(job_id)
    await runner_of(services, handler, LOOSE).run(job_id)
    assert (await row(job_id))["lost_leases"] == 1, "a job that comes as far each time and kills its worker"


@pytest.fixture
async def living():
    """A worker that lives: its row is fresh, and its session is there."""
    await presence.begin("living")
    yield "living"
    await db.execute("DELETE FROM workers WHERE name = 'living'")


async def steady(seconds):
    await db.execute(
        """UPDATE sweeper SET steady_since = clock_timestamp() - $1 * interval '1 second',
           swept_at = clock_timestamp()""",
        seconds,
    )


async def claimed_by(worker):
    job_id = await add()
    assert await claims.claim(job_id, worker=worker, known={JOB.name: 1}) is not None
    await age(job_id)
    return job_id


async def test_a_lease_that_a_living_worker_lost_is_not_held_against_the_job(services, living):
    job_id = await claimed_by(living)
    await steady(60)
    await sweep(services.resources.redis)
    found = await row(job_id)
    assert (found["state"], found["lost_leases"], found["outages"], found["lease_until"]) == ("pending", 0, 1, None)


async def test_a_silent_worker_is_dead_only_when_the_database_was_within_reach(services, living):
    job_id = await claimed_by(living)
    await db.execute("UPDATE workers SET beat_at = beat_at - interval '1 minute' WHERE name = 'living'")
    await steady(2)
    await sweep(services.resources.redis)
    assert (await row(job_id))["lease_until"] is not None, "nobody can tell yet"
    await steady(60)
    await sweep(services.resources.redis)
    assert (await row(job_id))["lost_leases"] == 1


async def test_a_new_process_of_the_same_name_does_not_stand_for_the_old_one(services, living):
    job_id = await claimed_by(living)
    await presence.begin(living)
    await steady(60)
    await sweep(services.resources.redis)
    assert (await row(job_id))["lost_leases"] == 1

"""Jobs that hold every connection of the pool do not keep their own leases from being renewed."""

import asyncio

import pytest_asyncio

from scaicms.infra import db
from scaicms.infra.jobs import Job, enqueue_all
from tests.infra.jobs_at_hand import Payload, is_, row, until, worker_of, working


@pytest_asyncio.fixture
async def ledger_connections(settings):
    async with db.open_aside(settings.database_url, size=2, statement_timeout=5):
        yield


async def test_leases_are_renewed_while_jobs_hold_the_whole_pool(services, settings, ledger_connections, monkeypatch):
    job, told = Job("tests.holding", "media", Payload), asyncio.Event()
    monkeypatch.setattr("scaicms.infra.jobs.runner.LEASE_SECONDS", 0.9)  # renewed three times a second

    async def handler(payload, running):
        await told.wait()

    number = settings.db_pool_size + 3
    async with db.transaction():
        ids = await enqueue_all([job.request(Payload(number=n), site_id=None) for n in range(number)])
    worker = worker_of(services, handler, job, concurrency=number)
    async with working(worker, services.resources.redis):
        async with db.aside():
            await until(lambda: are_held(ids, number))
            first = [(await row(job_id))["lease_until"] for job_id in ids]
            await asyncio.sleep(1)
            later = [(await row(job_id))["lease_until"] for job_id in ids]
        assert all(after > before for before, after in zip(first, later, strict=True))
        told.set()
        for job_id in ids:
            await until(lambda job_id=job_id: is_(job_id, "done"))
    assert {(await row(job_id))["lost_leases"] for job_id in ids} == {0}


async def are_held(ids, number):
    sql = "SELECT count(*) FROM jobs WHERE id = ANY($1) AND lease_until IS NOT NULL"
    return await db.fetchval(sql, ids) == number

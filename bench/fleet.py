"""The fleet: how it scales, what a job costs beside plain ARQ, how soon an idle worker begins, what idling costs.

    .venv/bin/python -m bench.fleet [--quick]

Starts its own engines in a temporary folder and real worker processes. Ratios mean something; figures by themselves
say as much about the machine.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import uvloop
from arq.connections import ArqRedis
from arq.worker import Worker, func

from scaicms import registry
from scaicms.connect import create_services
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
from scaicms.infra import db
from scaicms.infra.db.migrations import migrate
from scaicms.infra.jobs import Job, JobPayload, RunningJob, control, enqueue_all
from scaicms.infra.jobs.declare import Task
from scaicms.infra.jobs.doorbell import WAKE_CHANNEL
from scaicms.infra.jobs.heartbeat import worker_name
from scaicms.infra.jobs.runner import Runner
from scaicms.infra.jobs.worker import LedgerWorker, background, run_workers
from scaicms.infra.logs import configure_logs
from scaicms.infra.memory import keep_small
from scaicms.infra.redis import open_redis
from scaicms.kit import json as codec
from scaicms.settings import Settings

QUEUE = "default"
CONCURRENCY = 10
WAIT_SECONDS = 0.05
PLAIN = "bench:plain"


class Nothing(JobPayload):
    """Nothing to say."""


NOOP = Job("bench.noop", QUEUE, Nothing)
WAIT = Job("bench.wait", QUEUE, Nothing)


async def _noop(_: Nothing, __: RunningJob) -> None:
    """Done."""


async def _wait(_: Nothing, __: RunningJob) -> None:
    await asyncio.sleep(WAIT_SECONDS)


async def plain(_: dict[str, Any]) -> None:
    """The same nothing, as ARQ alone does it."""


async def work(settings: Settings) -> None:
    """A worker of ours, with the jobs of this benchmark."""
    async with create_services(settings, kind="worker") as services:
        redis = services.resources.redis
        runner = Runner([Task(NOOP, _noop), Task(WAIT, _wait)], services, worker_name())
        workers = {QUEUE: LedgerWorker(QUEUE, runner, redis, concurrency=CONCURRENCY, drain_seconds=1)}
        stop = asyncio.Event()
        asyncio.get_running_loop().run_in_executor(None, sys.stdin.read).add_done_callback(lambda _: stop.set())
        async with background(runner, redis, [QUEUE], ()):
            print("ready", flush=True)
            await run_workers(workers, redis, stop, drain_seconds=1)


async def work_plainly(settings: Settings) -> None:
    """ARQ's worker until its queue is empty; says how long that took."""
    worker = Worker(
        functions=[func(plain, name="plain", keep_result=0)],  # type: ignore[arg-type]  # ARQ's own protocol is looser
        queue_name=PLAIN,
        redis_pool=open_redis(settings.redis_url),
        max_jobs=CONCURRENCY,
        queue_read_limit=CONCURRENCY * 5,
        burst=True,
        keep_result=0,
        poll_delay=0.01,
        handle_signals=False,
        job_serializer=codec.dumps,
        job_deserializer=codec.loads,
    )
    started = time.perf_counter()
    await worker.async_run()
    print(json.dumps([worker.jobs_complete, time.perf_counter() - started]), flush=True)


def spawn(what: str, settings: Settings) -> subprocess.Popen[bytes]:
    told = json.dumps([what, settings.database_url, settings.redis_url, str(settings.home)])
    return subprocess.Popen(
        [sys.executable, "-m", "bench.fleet", "--as", told],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


@contextlib.contextmanager
def fleet(settings: Settings, number: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    processes = [spawn("work", settings) for _ in range(number)]
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        yield processes
    finally:
        for process in processes:
            process.communicate()


async def promise(job: Job[Any], number: int, site_id: UUID | None = None) -> None:
    for start in range(0, number, 500):
        async with db.transaction():
            await enqueue_all([job.request(Nothing(), site_id=site_id)] * min(500, number - start))


async def all_done(job: Job[Any], number: int) -> float:
    """Jobs a second, by the database's own clock."""
    while True:
        row = await db.fetchrow(
            """SELECT count(*) AS done, extract(epoch FROM max(finished_at) - min(started_at))::float8 AS seconds
               FROM jobs WHERE name = $1 AND state = 'done'""",
            job.name,
        )
        assert row is not None
        if row["done"] >= number:
            return number / float(row["seconds"])
        await asyncio.sleep(0.1)


async def backlog(settings: Settings, redis: ArqRedis, job: Job[Any], number: int, workers: int) -> float:
    """Jobs a second of so many workers, all of which begin at the same moment."""
    await db.execute("TRUNCATE jobs")
    await redis.flushall()
    await control.pause(QUEUE)
    await promise(job, number)
    with fleet(settings, workers):
        await asyncio.sleep(1)
        await control.resume(QUEUE)
        await redis.publish(WAKE_CHANNEL, QUEUE)
        return await all_done(job, number)


async def scaling(settings: Settings, redis: ArqRedis, seconds: float) -> None:
    print(f"jobs that wait {WAIT_SECONDS * 1000:g} ms, {CONCURRENCY} at a time a worker")
    base = 0.0
    for workers in (1, 2, 4, 8):
        number = int(workers * CONCURRENCY / WAIT_SECONDS * seconds)
        rate = await backlog(settings, redis, WAIT, number, workers)
        base = base or rate
        print(f"  {workers} workers {rate:8.0f} jobs/s  {rate / base:5.2f}x one")


async def beside_arq(settings: Settings, redis: ArqRedis, number: int, rounds: int = 3) -> None:
    print(f"{number} no-op jobs, one worker, medians of {rounds} rounds")
    ours, theirs, calls = [], [], []
    for _ in range(rounds):
        await redis.flushall()
        for _ in range(number):
            await redis.enqueue_job("plain", _queue_name=PLAIN)
        process = spawn("plain", settings)
        done, seconds = json.loads(process.communicate()[0])
        assert done == number, done
        theirs.append(done / seconds)
        before = await counters(redis)
        ours.append(await backlog(settings, redis, NOOP, number, 1))
        calls.append([(after - b) / number for after, b in zip(await counters(redis), before, strict=True)])
    ratios = [mine / plain_rate for mine, plain_rate in zip(ours, theirs, strict=True)]
    print(
        f"  ours {statistics.median(ours):7.0f}/s   plain ARQ {statistics.median(theirs):7.0f}/s   "
        f"{statistics.median(ratios):.2f}x"
    )
    commands, commits = (statistics.median(column) for column in zip(*calls, strict=True))
    print(f"  a job, promise to finish: {commands:.1f} Redis commands, {commits:.2f} PostgreSQL transactions")


async def counters(redis: ArqRedis) -> tuple[int, int]:
    """Redis commands and PostgreSQL commits so far."""
    await asyncio.sleep(1.2)  # PostgreSQL's statistics lag by up to a second
    commits = await db.fetchval("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
    return int((await redis.info("stats"))["total_commands_processed"]), int(commits)


async def latency(settings: Settings, redis: ArqRedis, number: int) -> None:
    await db.execute("TRUNCATE jobs")
    await redis.flushall()
    with fleet(settings, 1):
        await asyncio.sleep(2)
        for _ in range(number):
            await promise(NOOP, 1)
            await asyncio.sleep(0.05 + 0.1 * (time.perf_counter_ns() % 100) / 100)
        await all_done(NOOP, number)
    rows = await db.fetch(
        "SELECT extract(epoch FROM started_at - created_at)::float8 * 1000 AS ms FROM jobs ORDER BY 1"
    )
    ordered = [row["ms"] for row in rows]
    print(
        f"idle worker, promise to start: p50 {ordered[len(ordered) // 2]:.1f} ms, "
        f"p95 {ordered[int(len(ordered) * 0.95)]:.1f} ms of {number}"
    )


async def idling(settings: Settings, redis: ArqRedis, seconds: int) -> None:
    await db.execute("TRUNCATE jobs")
    await redis.flushall()
    with fleet(settings, 1) as (process,):
        await asyncio.sleep(8)
        watched = psutil.Process(process.pid)
        cpu, before = watched.cpu_times(), (await redis.info("stats"))["total_commands_processed"]
        await asyncio.sleep(seconds)
        after, spent = (await redis.info("stats"))["total_commands_processed"], watched.cpu_times()
        used = (spent.user + spent.system - cpu.user - cpu.system) / seconds * 100
        print(
            f"an idle worker: {used:.2f} % CPU, {(after - before - 1) / seconds:.1f} Redis commands a second, "
            f"{watched.memory_info().rss / 1e6:.0f} MB"
        )


async def fairness(settings: Settings, redis: ArqRedis, number: int) -> None:
    await db.execute("TRUNCATE jobs")
    await redis.flushall()
    await promise(WAIT, number, uuid4())
    with fleet(settings, 1):
        await asyncio.sleep(3)
        site_id = uuid4()
        await promise(WAIT, 1, site_id)
        sql = "SELECT extract(epoch FROM started_at - created_at)::float8 FROM jobs WHERE site_id = $1"
        while (waited := await db.fetchval(sql, site_id)) is None:  # noqa: ASYNC110 - a row has no event
            await asyncio.sleep(0.05)
    print(f"with {number} jobs of one site pending, another site's job starts after {waited * 1000:.0f} ms")


async def measure(settings: Settings, *, quick: bool) -> None:
    await migrate(settings.database_url, registry.model_modules())
    async with create_services(settings, kind="worker") as services:
        redis = services.resources.redis
        await beside_arq(settings, redis, 2000 if quick else 10_000)
        await scaling(settings, redis, 2 if quick else 6)
        await latency(settings, redis, 50 if quick else 300)
        await idling(settings, redis, 5 if quick else 20)
        await fairness(settings, redis, 10_000 if quick else 100_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller numbers, to see that it runs")
    parser.add_argument("--as", dest="role", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role:
        what, database_url, redis_url, home = json.loads(given.role)
        settings = _settings(database_url, redis_url, Path(home))
        keep_small()
        configure_logs(settings)
        uvloop.run(work(settings) if what == "work" else work_plainly(settings))
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        with EmbeddedPostgres(home) as postgres, EmbeddedValkey(home) as valkey:
            uvloop.run(measure(_settings(postgres.url, valkey.url, home), quick=given.quick))


def _settings(database_url: str, redis_url: str, home: Path) -> Settings:
    return Settings(
        env="test",
        home=home,
        database_url=database_url,
        redis_url=redis_url,
        secret="for the benchmark",
        log_level="error",
        worker_statement_timeout=600,
    )


if __name__ == "__main__":
    main()

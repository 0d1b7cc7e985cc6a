"""Jobs that leave a countable effect, or hurt the worker that does them; the fleet's entry points alone know them."""

import asyncio
import contextlib
import os
import random
import time
from datetime import timedelta

from scaicms.infra import db
from scaicms.infra.jobs import Job, JobPayload, RunningJob, TransientJobError
from scaicms.infra.jobs.declare import Periodic, Task

# Nothing here is unique, so that a doubled effect shows as a second row.
TABLES = """
CREATE TABLE IF NOT EXISTS chaos_effects (
    job_id uuid NOT NULL, step int NOT NULL, pid int NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
-- Every lease that was counted as lost, with the worker that had it; and the workers whose loop a job has blocked.
CREATE TABLE IF NOT EXISTS chaos_lost_leases (
    job_id uuid NOT NULL, name text NOT NULL, worker text, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS chaos_blocked (worker text);
CREATE OR REPLACE FUNCTION chaos_watch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.lost_leases > OLD.lost_leases THEN
        INSERT INTO chaos_lost_leases (job_id, name, worker) VALUES (OLD.id, OLD.name, OLD.worker);
    ELSIF NEW.name = 'chaos.blocking' THEN
        INSERT INTO chaos_blocked VALUES (NEW.worker);
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER chaos_watch AFTER UPDATE ON jobs FOR EACH ROW
    WHEN (NEW.lost_leases > OLD.lost_leases OR NEW.fence > OLD.fence) EXECUTE FUNCTION chaos_watch();
"""
TICK_SECONDS = 2
BLOCKED_SECONDS = 20.0  # longer than a lease
TROUBLE = 0.4


class Work(JobPayload):
    """`seconds` of waiting after each of `steps` effects, none of them before `due` (Unix time)."""

    seconds: float = 0.0
    steps: int = 1
    due: float = 0.0


EFFECT = Job("chaos.effect", "default", Work, max_attempts=20)
STEPS = Job("chaos.steps", "media", Work, max_attempts=20, atomic=False)
FLAKY = Job("chaos.flaky", "default", Work, max_attempts=60)
NOVEL = Job("chaos.novel", "default", Work, max_attempts=20)
STOPPED = Job("chaos.stopped", "media", Work, max_attempts=20, atomic=False)
POISON = Job("chaos.poison", "webhooks", Work)
GREEDY = Job("chaos.greedy", "webhooks", Work, max_attempts=2)
BLOCKING = Job("chaos.blocking", "ai", Work)
STUBBORN = Job("chaos.stubborn", "search", Work, atomic=False)
TICK = Job("chaos.tick", "default", Work, max_attempts=20)
JOBS = {job.name: job for job in (EFFECT, STEPS, FLAKY, NOVEL, STOPPED, POISON, GREEDY, BLOCKING, STUBBORN)}


async def leave(job: RunningJob, step: int = 0) -> None:
    await db.execute("INSERT INTO chaos_effects (job_id, step, pid) VALUES ($1, $2, $3)", job.id, step, os.getpid())


async def one_effect(payload: Work, job: RunningJob) -> None:
    await leave(job)
    await asyncio.sleep(payload.seconds)


async def effect_by_step(payload: Work, job: RunningJob) -> None:
    for step in range((job.progress or {"done": 0})["done"], payload.steps):
        async with db.transaction():
            await leave(job, step)
            await asyncio.sleep(payload.seconds)
            await job.checkpoint({"done": step + 1})


async def now_and_then(payload: Work, job: RunningJob) -> None:
    await one_effect(payload, job)
    if random.random() < TROUBLE:
        raise TransientJobError("the other side is busy", retry_after=0.2)


async def poison(payload: Work, job: RunningJob) -> None:
    await leave(job)
    await asyncio.sleep(payload.seconds)
    os._exit(66)


async def greedy(payload: Work, job: RunningJob) -> None:
    """Takes memory until there is none: the entry point bounds the address space."""
    await leave(job)
    taken = []
    while True:
        taken.append(bytearray(32 * 1024 * 1024))


async def refuse_to_stop(payload: Work, job: RunningJob) -> None:
    """Waits for a thread, and does so again when it is told to stop."""
    await leave(job)
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.to_thread(time.sleep, payload.seconds)


async def block(payload: Work, job: RunningJob) -> None:
    await leave(job)
    time.sleep(BLOCKED_SECONDS)  # noqa: ASYNC251 - the mistake that this job is about


def tasks(*, novel: bool) -> list[Task]:
    """What a worker of this fleet can do; an old one does not know the newest job."""
    known = [
        Task(EFFECT, one_effect),
        Task(TICK, one_effect),
        Task(STEPS, effect_by_step),
        Task(STOPPED, effect_by_step),
        Task(FLAKY, now_and_then),
        Task(POISON, poison),
        Task(GREEDY, greedy),
        Task(BLOCKING, block),
        Task(STUBBORN, refuse_to_stop),
    ]
    return [*known, Task(NOVEL, one_effect)] if novel else known


PERIODIC = Periodic(TICK, Work(), timedelta(seconds=TICK_SECONDS))

"""Job handlers: payload to service call."""

import time
from dataclasses import asdict

from scaicms.features.content_types.applying import ApplyService
from scaicms.features.content_types.indexing import IndexService
from scaicms.features.content_types.jobs import APPLY_PLAN, KEEP_INDEXES, ApplyPayload, IndexesPayload
from scaicms.infra.jobs import JobYieldError, RunningJob
from scaicms.infra.jobs.declare import GivenUp, Task

# Half of what one attempt on the queue may take; then the plan continues in another turn.
TURN_SECONDS = APPLY_PLAN.seconds / 2


async def apply_plan(payload: ApplyPayload, job: RunningJob) -> None:
    started = time.monotonic()
    steps = job.services.get(ApplyService).steps(payload.plan_id, checkpoint=job.checkpoint, resume=job.progress)
    async for progress in steps:
        job.result = {**asdict(progress), "plan_id": str(payload.plan_id)}
        if time.monotonic() - started > TURN_SECONDS and progress.phase != "done":
            raise JobYieldError


async def keep_indexes(payload: IndexesPayload, job: RunningJob) -> None:
    job.result = await job.services.get(IndexService).keep(payload.type_id)


async def give_up_plan(payload: ApplyPayload, ended: GivenUp) -> None:
    await ended.services.get(ApplyService).give_up(payload.plan_id, ended.job_id, ended.reason)


async def give_up_indexes(payload: IndexesPayload, ended: GivenUp) -> None:
    await ended.services.get(IndexService).give_up(payload.type_id, ended.reason)


TASKS = (Task(APPLY_PLAN, apply_plan, give_up_plan), Task(KEEP_INDEXES, keep_indexes, give_up_indexes))

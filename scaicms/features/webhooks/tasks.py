"""Job handlers: payload to service call."""

from scaicms.features.webhooks.jobs import (
    DELIVER,
    FORGET,
    PRUNE_DELIVERIES,
    REPLAY,
    TELL_DISABLED,
    DeliverPayload,
    DisabledPayload,
    ForgetPayload,
    PrunePayload,
    ReplayPayload,
)
from scaicms.features.webhooks.replaying import Upkeep
from scaicms.features.webhooks.sending import Sender
from scaicms.infra.jobs import RunningJob
from scaicms.infra.jobs.declare import GivenUp, Task


async def deliver(payload: DeliverPayload, job: RunningJob) -> None:
    await job.services.get(Sender).attempt(payload.delivery_id, job)


async def replay(payload: ReplayPayload, job: RunningJob) -> None:
    await job.services.get(Upkeep).replay(payload.webhook_id, payload.since, payload.until, job)


async def tell_disabled(payload: DisabledPayload, job: RunningJob) -> None:
    upkeep = job.services.get(Upkeep)
    await upkeep.tell(payload.webhook_id, payload.user_id, payload.reason, letter_id=str(job.id))


async def forget(payload: ForgetPayload, job: RunningJob) -> None:
    job.result = {"removed": await job.services.get(Upkeep).forget(payload.webhook_id)}


async def prune_deliveries(_: PrunePayload, job: RunningJob) -> None:
    job.result = await job.services.get(Upkeep).prune()


async def give_up_delivery(payload: DeliverPayload, ended: GivenUp) -> None:
    await ended.services.get(Upkeep).give_up(payload.delivery_id, ended.job_id, ended.reason)


async def give_up_replay(payload: ReplayPayload, ended: GivenUp) -> None:
    await ended.services.get(Upkeep).give_up_replay(payload.webhook_id, payload.since, payload.until, ended.reason)


TASKS = (
    Task(DELIVER, deliver, give_up_delivery),
    Task(REPLAY, replay, give_up_replay),
    Task(TELL_DISABLED, tell_disabled, unawaited="The webhook's own state and webhook.disabled say so already."),
    Task(FORGET, forget, unawaited="The webhook is gone; its deliveries go with webhooks.prune."),
    Task(PRUNE_DELIVERIES, prune_deliveries, unawaited="Its next run does what this one has left."),
)

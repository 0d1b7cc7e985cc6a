"""Job handlers: payload to service call."""

from scaicms.features.auth.events import MailFailed
from scaicms.features.auth.jobs import PRUNE, SEND_NOTICE, SEND_RESET, NoticePayload, PrunePayload, ResetPayload
from scaicms.features.auth.notices import NoticeService
from scaicms.features.auth.resets import PasswordResetService
from scaicms.features.retention.service import RetentionService
from scaicms.infra.events import record
from scaicms.infra.jobs import RunningJob
from scaicms.infra.jobs.declare import GivenUp, Task
from scaicms.kit.principal import SYSTEM


async def send_reset(payload: ResetPayload, job: RunningJob) -> None:
    await job.services.get(PasswordResetService).send(SYSTEM, payload.reset_id)


async def send_notice(payload: NoticePayload, job: RunningJob) -> None:
    await job.services.get(NoticeService).send(payload.user_id, payload.notice, letter_id=str(job.id))


async def prune(_: PrunePayload, job: RunningJob) -> None:
    """For jobs that the release before has enqueued; `retention.remove_expired` does this work now."""
    job.result = (await job.services.get(RetentionService).remove_expired(SYSTEM, seconds=PRUNE.seconds / 2)).rows


async def give_up_reset(payload: ResetPayload, ended: GivenUp) -> None:
    await ended.services.get(PasswordResetService).give_up(SYSTEM, payload.reset_id, ended.reason)


async def give_up_notice(payload: NoticePayload, ended: GivenUp) -> None:
    fact = MailFailed(site_id=None, aggregate_id=payload.user_id, mail=payload.notice, error=ended.reason)
    await record(fact, actor=SYSTEM)


TASKS = (
    Task(PRUNE, prune, unawaited="The next run of this periodic job does what this one has left."),
    Task(SEND_RESET, send_reset, give_up_reset),
    Task(SEND_NOTICE, send_notice, give_up_notice),
)

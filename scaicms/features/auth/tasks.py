"""Job handlers: payload to service call."""

from scaicms.features.auth.jobs import PRUNE, SEND_NOTICE, SEND_RESET, NoticePayload, PrunePayload, ResetPayload
from scaicms.features.auth.notices import NoticeService
from scaicms.features.auth.resets import PasswordResetService
from scaicms.features.auth.service import AuthService
from scaicms.infra.jobs import RunningJob
from scaicms.infra.jobs.declare import Task
from scaicms.kit.principal import SYSTEM


async def send_reset(payload: ResetPayload, job: RunningJob) -> None:
    await job.services.get(PasswordResetService).send(SYSTEM, payload.reset_id)


async def send_notice(payload: NoticePayload, job: RunningJob) -> None:
    await job.services.get(NoticeService).send(payload.user_id, payload.notice, letter_id=str(job.id))


async def prune(_: PrunePayload, job: RunningJob) -> None:
    job.result = await job.services.get(AuthService).prune(SYSTEM)


TASKS = (Task(PRUNE, prune), Task(SEND_RESET, send_reset), Task(SEND_NOTICE, send_notice))

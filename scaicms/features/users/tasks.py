"""Job handlers: payload to service call."""

from scaicms.features.users.invitations import InvitationService
from scaicms.features.users.jobs import SEND_INVITATION, InvitationPayload
from scaicms.infra.jobs import RunningJob
from scaicms.infra.jobs.declare import Task
from scaicms.kit.principal import SYSTEM


async def send_invitation(payload: InvitationPayload, job: RunningJob) -> None:
    await job.services.get(InvitationService).send(SYSTEM, payload.invitation_id)


TASKS = (Task(SEND_INVITATION, send_invitation),)

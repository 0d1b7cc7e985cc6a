"""Job handlers: payload to service call."""

from scaicms.features.users.invitations import InvitationService
from scaicms.features.users.jobs import SEND_INVITATION, InvitationPayload
from scaicms.infra.jobs import RunningJob
from scaicms.infra.jobs.declare import GivenUp, Task
from scaicms.kit.principal import SYSTEM


async def send_invitation(payload: InvitationPayload, job: RunningJob) -> None:
    await job.services.get(InvitationService).send(SYSTEM, payload.invitation_id)


async def give_up_invitation(payload: InvitationPayload, ended: GivenUp) -> None:
    await ended.services.get(InvitationService).give_up(SYSTEM, payload.invitation_id, ended.reason)


TASKS = (Task(SEND_INVITATION, send_invitation, give_up_invitation),)

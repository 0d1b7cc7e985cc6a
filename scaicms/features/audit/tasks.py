"""Job handlers: payload to service call."""

from scaicms.features.audit.jobs import CUT_AUDIT, SEAL_AUDIT, UpkeepPayload
from scaicms.features.audit.service import AuditService
from scaicms.infra.jobs import RunningJob
from scaicms.infra.jobs.declare import Task
from scaicms.kit.principal import SYSTEM


async def seal_audit(_: UpkeepPayload, job: RunningJob) -> None:
    job.result = {"linked": await job.services.get(AuditService).seal(SYSTEM)}


async def cut_audit(_: UpkeepPayload, job: RunningJob) -> None:
    job.result = {"removed": await job.services.get(AuditService).cut(SYSTEM)}


PERIODIC = "The next run of this periodic job does what this one has left."

TASKS = (
    Task(SEAL_AUDIT, seal_audit, unawaited=PERIODIC),
    Task(CUT_AUDIT, cut_audit, unawaited=PERIODIC),
)

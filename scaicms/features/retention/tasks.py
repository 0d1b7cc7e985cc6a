"""Job handlers: payload to service call."""

from scaicms.features.retention.jobs import REMOVE_EXPIRED, RemovePayload
from scaicms.features.retention.service import RetentionService
from scaicms.infra.jobs import JobYieldError, RunningJob
from scaicms.infra.jobs.declare import Task
from scaicms.kit.principal import SYSTEM


async def remove_expired(_: RemovePayload, job: RunningJob) -> None:
    """One turn; what is left is removed in the next one."""
    removed = await job.services.get(RetentionService).remove_expired(SYSTEM, seconds=REMOVE_EXPIRED.seconds / 2)
    if not removed.is_complete:
        raise JobYieldError
    job.result = {"removed": removed.rows}


TASKS = (
    Task(
        REMOVE_EXPIRED,
        remove_expired,
        unawaited="The next run of this periodic job does what this one has left.",
    ),
)

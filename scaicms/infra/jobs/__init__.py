"""Durable jobs: PostgreSQL is the truth, ARQ is the doorbell (design §4, docs/adr/0002)."""

from scaicms.infra.jobs.declare import QUEUES, Job, JobPayload, JobRequest, Periodic, Queue
from scaicms.infra.jobs.enqueue import enqueue, enqueue_all
from scaicms.infra.jobs.errors import (
    JobCancelledError,
    JobYieldError,
    PermanentJobError,
    StaleLeaseError,
    TransientJobError,
)
from scaicms.infra.jobs.running import RunningJob

__all__ = [
    "QUEUES",
    "Job",
    "JobCancelledError",
    "JobPayload",
    "JobRequest",
    "JobYieldError",
    "Periodic",
    "PermanentJobError",
    "Queue",
    "RunningJob",
    "StaleLeaseError",
    "TransientJobError",
    "enqueue",
    "enqueue_all",
]

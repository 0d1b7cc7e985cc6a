"""Work on content types that workers do."""

from uuid import UUID

from scaicms.infra.jobs import Job, JobPayload


class ApplyPayload(JobPayload):
    """The plan whose rows are to be exchanged."""

    plan_id: UUID


APPLY_PLAN = Job("content_types.apply_plan", "default", ApplyPayload, atomic=False)

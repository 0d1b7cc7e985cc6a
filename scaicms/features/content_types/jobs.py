"""Work on content types that workers do."""

from uuid import UUID

from scaicms.infra.jobs import Job, JobPayload


class ApplyPayload(JobPayload):
    """The plan whose rows are to be exchanged."""

    plan_id: UUID


class IndexesPayload(JobPayload):
    """The type whose indexes shall be those that its fields call for; of a type that is gone, none."""

    type_id: UUID


APPLY_PLAN = Job("content_types.apply_plan", "default", ApplyPayload, atomic=False)
# Among the searches' jobs: it waits for the same kind of thing, and longer than others may.
KEEP_INDEXES = Job("content_types.keep_indexes", "search", IndexesPayload, atomic=False, max_attempts=20)

"""Work on the index."""

from uuid import UUID

from scaicms.infra.jobs import Job, JobPayload


class IndexPayload(JobPayload):
    """The item whose documents in the index shall be those that are published."""

    item_id: UUID


INDEX_CONTENT = Job("search.index_content", "search", IndexPayload)


class IndexTypePayload(JobPayload):
    """The content type whose published items shall be indexed anew, since its fields have changed."""

    type_id: UUID


INDEX_TYPE = Job("search.index_type", "search", IndexTypePayload, atomic=False, priority=-1)


class PrunePayload(JobPayload):
    """Nothing to say: the settings tell what is past its time."""


PRUNE_JOBS = Job("search.prune_jobs", "default", PrunePayload, atomic=False)

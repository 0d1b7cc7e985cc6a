"""Work on the index."""

from uuid import UUID

from scaicms.infra.jobs import Job, JobPayload


class IndexPayload(JobPayload):
    """The item whose documents in the index shall be those that are published."""

    item_id: UUID


INDEX_CONTENT = Job("search.index_content", "search", IndexPayload)

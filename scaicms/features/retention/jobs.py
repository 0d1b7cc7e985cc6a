"""Upkeep of tables and of the file store."""

from scaicms.infra.jobs import Job, JobPayload


class RemovePayload(JobPayload):
    """Empty: the declarations and the settings say what expires."""


REMOVE_EXPIRED = Job("retention.remove_expired", "default", RemovePayload, atomic=False)

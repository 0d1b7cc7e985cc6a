"""Upkeep of the audit log."""

from scaicms.infra.jobs import Job, JobPayload


class UpkeepPayload(JobPayload):
    """Nothing to say: what there is to do is in the log and the settings."""


SEAL_AUDIT = Job("audit.seal", "default", UpkeepPayload, atomic=False)
CUT_AUDIT = Job("audit.cut", "default", UpkeepPayload, atomic=False)

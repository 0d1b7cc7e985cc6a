"""Work on assets that workers do."""

from uuid import UUID

from scaicms.infra.jobs import Job, JobPayload


class FilePayload(JobPayload):
    """The file that has been stored, or is used no more."""

    file_id: UUID


READ_FILE = Job("assets.read_file", "media", FilePayload, atomic=False)
REMOVE_FILE = Job("assets.remove_file", "media", FilePayload, atomic=False)


class SweepPayload(JobPayload):
    """Empty: the store and the settings say what there is to do."""


SWEEP_STORAGE = Job("assets.sweep_storage", "media", SweepPayload, atomic=False, priority=-1)

"""The ledger of work."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class JobRow(Model):
    """One piece of work that was promised by a committed transaction.

    `state` is stored as pending, done, dead, cancelled or quarantined; a pending row is shown as deferred, due or
    running, by `run_at` and `lease_until`. `fence` counts claims: only the newest claimer may finish. `lost_leases`
    counts workers that died during the job, `outages` attempts that an outage of PostgreSQL or Redis ended; both since
    its last progress.
    """

    id = fields.UUIDField(primary_key=True)
    queue = fields.CharField(max_length=20)
    name = fields.CharField(max_length=100)
    version = fields.SmallIntField(default=1)
    payload: object = fields.JSONField()
    site_id = fields.UUIDField(null=True)
    dedupe_key = fields.CharField(max_length=200, null=True)
    state = fields.CharField(max_length=12, default="pending")
    priority = fields.SmallIntField(default=0)
    attempts = fields.SmallIntField(default=0)
    max_attempts = fields.SmallIntField(default=5)
    lost_leases = fields.SmallIntField(default=0)
    outages = fields.SmallIntField(default=0, db_default=0)
    rings = fields.IntField(default=0)
    fence = fields.IntField(default=0)
    run_at = fields.DatetimeField()
    lease_until = fields.DatetimeField(null=True)
    worker = fields.CharField(max_length=100, null=True)
    cancel_requested = fields.BooleanField(default=False)
    progress: object = fields.JSONField(null=True)
    result: object = fields.JSONField(null=True)
    last_error = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    started_at = fields.DatetimeField(null=True)
    finished_at = fields.DatetimeField(null=True)

    class Meta:
        table = "jobs"
        indexes = (Index(fields=("queue", "finished_at")), Index(fields=("site_id", "created_at")))


class ScheduleRow(Model):
    """When periodic work is next due. Whoever moves `next_at` on promises the job in the same transaction."""

    name = fields.CharField(max_length=100, primary_key=True)
    every_seconds = fields.IntField()
    next_at = fields.DatetimeField()
    last_at = fields.DatetimeField(null=True)

    class Meta:
        table = "schedules"


class WorkerRow(Model):
    """A worker process and its last sign of life. `session_pid` is the server's process of the session that wrote it.

    Both times are the database's: they are compared with leases.
    """

    name = fields.CharField(max_length=100, primary_key=True)
    started_at = fields.DatetimeField()
    beat_at = fields.DatetimeField()
    session_pid = fields.IntField()

    class Meta:
        table = "workers"


class SweeperRow(Model):
    """The only row: who sweeps now, until when at most, and when a sweep ended last.

    `steady_since` is when sweeps began to follow each other without a gap, that is since when the database has been
    within reach: silence of workers before that says nothing about them.
    """

    id = fields.SmallIntField(primary_key=True)
    holder = fields.CharField(max_length=100, null=True)
    lease_until = fields.DatetimeField(null=True)
    swept_at = fields.DatetimeField(null=True)
    steady_since = fields.DatetimeField()

    class Meta:
        table = "sweeper"


class QueuePauseRow(Model):
    """A queue from which nobody takes work; jobs go on being promised."""

    queue = fields.CharField(max_length=20, primary_key=True)
    paused_at = fields.DatetimeField()

    class Meta:
        table = "queue_pauses"

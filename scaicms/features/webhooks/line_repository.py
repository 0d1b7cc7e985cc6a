"""The line of deliveries that wait for a turn of one webhook: those whose time has come, by that time."""

from collections.abc import Sequence
from uuid import UUID

from scaicms.infra import db
from scaicms.infra.jobs.order import bring_forward


def free(webhook_id: str) -> str:
    """SQL for FROM and WHERE: deliveries `d` in the line of a webhook whose jobs `j` nobody has begun.

    Jobs are looked up by their ids, one by one. Without OFFSET 0 the planner may read the index of all free jobs for
    each delivery: it believes that index empty until its statistics have caught up with a backlog.
    """
    return f"""webhook_deliveries d CROSS JOIN LATERAL (
        SELECT id, state, lease_until, run_at FROM jobs WHERE id = d.job_id OFFSET 0) j
    WHERE d.webhook_id = {webhook_id} AND d.state = 'pending' AND d.next_at <= now()
      AND j.state = 'pending' AND j.lease_until IS NULL"""


async def join(delivery_ids: Sequence[UUID]) -> None:
    """A delivery whose attempt was interrupted has no time of its own: its place is that of the time it was made."""
    await db.execute(
        """UPDATE webhook_deliveries SET next_at = created_at
           WHERE id = ANY($1::uuid[]) AND state = 'pending' AND next_at IS NULL""",
        list(delivery_ids),
    )


async def length(webhook_id: UUID, *, limit: int) -> int:
    """How many deliveries are in line, counted up to `limit`."""
    counted = """SELECT count(*) FROM (
        SELECT FROM webhook_deliveries
        WHERE webhook_id = $1 AND state = 'pending' AND next_at <= now() LIMIT $2) line"""
    return int(await db.fetchval(counted, webhook_id, limit))


async def wake(webhook_id: UUID, *, number: int) -> int:
    """Make the first deliveries that nobody has begun due now. Those that are awake count, since they take a turn, too;
    how many were asleep."""
    return await bring_forward(
        f"SELECT j.id FROM {free('$1')} ORDER BY d.next_at, d.id LIMIT $2",
        webhook_id,
        number,
    )


async def due_jobs(webhook_id: UUID, *, limit: int) -> list[UUID]:
    """Jobs of the line that would be claimed now. Those asleep are at its front, so it is read from its end."""
    rows = await db.fetch(
        f"SELECT d.job_id FROM {free('$1')} AND j.run_at <= now() ORDER BY d.next_at DESC, d.id DESC LIMIT $2",
        webhook_id,
        limit,
    )
    return [row["job_id"] for row in rows]

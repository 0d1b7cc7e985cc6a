"""The line of deliveries that wait for a turn of one webhook: those whose time has come, by that time."""

from collections.abc import Sequence
from uuid import UUID

from scaicms.infra import db
from scaicms.infra.jobs.order import bring_forward

_IN_LINE = "d.webhook_id = $1 AND d.state = 'pending' AND d.next_at <= now()"


async def join(delivery_ids: Sequence[UUID]) -> None:
    """A delivery whose attempt was interrupted has no time of its own: its place is that of the time it was made."""
    await db.execute(
        """UPDATE webhook_deliveries SET next_at = created_at
           WHERE id = ANY($1::uuid[]) AND state = 'pending' AND next_at IS NULL""",
        list(delivery_ids),
    )


async def length(webhook_id: UUID, *, limit: int) -> int:
    """How many deliveries are in line, counted up to `limit`."""
    counted = f"SELECT count(*) FROM (SELECT FROM webhook_deliveries d WHERE {_IN_LINE} LIMIT $2) line"
    return int(await db.fetchval(counted, webhook_id, limit))


async def wake(webhook_id: UUID, *, number: int) -> int:
    """Make the first deliveries that nobody has begun due now. Those that are awake count, since they take a turn, too;
    how many were asleep."""
    return await bring_forward(
        f"""SELECT j.id FROM webhook_deliveries d JOIN jobs j ON j.id = d.job_id
            WHERE {_IN_LINE} AND j.state = 'pending' AND j.lease_until IS NULL
            ORDER BY d.next_at, d.id LIMIT $2 FOR UPDATE OF j SKIP LOCKED""",
        webhook_id,
        number,
    )


async def due_jobs(webhook_id: UUID, *, limit: int) -> list[UUID]:
    """Jobs of the line that would be claimed now. Those asleep are at its front, so it is read from its end."""
    rows = await db.fetch(
        f"""SELECT d.job_id FROM webhook_deliveries d JOIN jobs j ON j.id = d.job_id
            WHERE {_IN_LINE} AND j.state = 'pending' AND j.lease_until IS NULL AND j.run_at <= now()
            ORDER BY d.next_at DESC, d.id DESC LIMIT $2""",
        webhook_id,
        limit,
    )
    return [row["job_id"] for row in rows]

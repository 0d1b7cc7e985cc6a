"""After the last fault: what is late, and when everything has come to rest."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.ground import Ground

# The lease of a worker that died with the last fault runs out first; then nothing may lie about.
LEASE_SECONDS, ORPHAN_SECONDS = 15.0, 15.0
TRIED_SECONDS = 30.0
"""Within this long after the last fault every delivery has been tried."""
OLDEST_SECONDS = 60.0
"""Nothing that is due waits longer than this after the last fault."""
DELIVERED_SECONDS = 120.0
CALM_SECONDS = 180.0
KILLERS = (
    "SELECT count(*) FROM jobs WHERE state = 'pending' AND name = ANY('{chaos.poison,chaos.greedy,chaos.blocking}')"
)

ORPHANS = """
SELECT id, queue, name, run_at, fence, lost_leases, last_error FROM jobs
WHERE state = 'pending' AND run_at < now() - $1 * interval '1 second' AND (lease_until IS NULL OR lease_until < now())
"""
UNTRIED = """
SELECT h.name, count(*), min(d.created_at) AS oldest FROM webhook_deliveries d JOIN webhooks h ON h.id = d.webhook_id
WHERE d.state = 'pending' AND d.attempts = 0 AND d.created_at < now() - $1 * interval '1 second' GROUP BY 1
"""
OLDEST = """
SELECT coalesce(max(extract(epoch FROM now() - greatest(run_at, now() - $1 * interval '1 second'))), 0)::float8
FROM jobs WHERE state = 'pending' AND run_at <= now() AND (lease_until IS NULL OR lease_until < now())
"""
UNDELIVERED = "SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'"
HURRY = """
UPDATE jobs SET run_at = now() WHERE name = 'webhooks.deliver' AND state = 'pending' AND run_at > now()
    AND lease_until IS NULL
"""


@dataclass
class Late:
    """What was late, and how late at most."""

    problems: list[str] = field(default_factory=list)
    oldest_due: float = 0.0
    all_tried: float | None = None

    @property
    def figures(self) -> dict[str, Any]:
        return {"oldest_due_seconds": round(self.oldest_due, 1), "all_tried_seconds": self.all_tried}


async def settle(ground: Ground) -> Late:
    """Look for what is late while everything comes to rest, then hurry deliveries that wait for their next time."""
    late, loop = Late(), asyncio.get_running_loop()
    await _calm(ground)
    began = loop.time()
    watching = asyncio.create_task(_watch(ground, late, began))
    await ground.rest(LEASE_SECONDS + ORPHAN_SECONDS)
    rows = await ground.engines.fetch(ORPHANS, ORPHAN_SECONDS)
    late.problems += [f"an orphan: {dict(row)}" for row in rows]
    await watching
    await ground.rest()
    await deliver(ground, late)
    return late


async def _calm(ground: Ground) -> None:
    """Until jobs that kill or block workers are at an end, and every process that they ended works again: these are
    faults too, and on a busy machine a process takes long to start."""
    deadline = asyncio.get_running_loop().time() + CALM_SECONDS
    await ground.fleet.ready()
    while await ground.engines.fetchval(KILLERS) or not all(worker.has_begun for worker in ground.fleet.workers):
        if asyncio.get_running_loop().time() > deadline:
            ground.timeline.note("not waiting any longer for the last killers")
            return
        await asyncio.sleep(0.3)
    ground.timeline.note("the last fault is over")


async def _watch(ground: Ground, late: Late, began: float) -> None:
    """Until every delivery has been tried and nothing due has waited longer than it may."""
    loop = asyncio.get_running_loop()
    untried = True
    while (passed := loop.time() - began) < OLDEST_SECONDS + 5:
        late.oldest_due = max(late.oldest_due, float(str(await ground.engines.fetchval(OLDEST, passed))))
        rows = await ground.engines.fetch(UNTRIED, passed) if untried else []
        if untried and not rows:
            untried, late.all_tried = False, round(passed, 1)
        if untried and passed > TRIED_SECONDS:
            untried = False
            late.problems += [f"not tried {TRIED_SECONDS:g} s after calm: {dict(row)}" for row in rows]
        if not untried and late.oldest_due == 0.0 and passed > TRIED_SECONDS:
            break
        await asyncio.sleep(1)
    if late.oldest_due > OLDEST_SECONDS:
        late.problems.append(f"something due waited {late.oldest_due:.0f} s after the last fault")


async def deliver(ground: Ground, late: Late) -> None:
    """Receivers are well again: what failed while they were not need not wait for its time here."""
    deadline = asyncio.get_running_loop().time() + DELIVERED_SECONDS
    while count := await ground.engines.fetchval(UNDELIVERED):
        await ground.engines.fetch(HURRY)
        if asyncio.get_running_loop().time() > deadline:
            late.problems.append(f"{count} deliveries are not at an end {DELIVERED_SECONDS:g} s after being hurried")
            return
        await asyncio.sleep(1)

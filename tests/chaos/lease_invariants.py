"""No job is blamed for a worker that lives: a lease counts as lost when its worker died, froze or was blocked."""

from datetime import datetime

from tests.chaos.engines import Engines
from tests.chaos.verdict import Verdict

LOST = "SELECT job_id::text, name, worker, at FROM chaos_lost_leases ORDER BY at"
BLOCKED = "SELECT DISTINCT worker FROM chaos_blocked"


def pid_of(worker: str) -> int:
    """Process id in the name of a worker (`host:pid`, with what tells releases of it apart)."""
    return int(worker.rsplit(":", 1)[-1].split("-")[0])


async def judge_leases(verdict: Verdict, engines: Engines, unwell: dict[int, datetime]) -> int:
    """How many leases were counted as lost. `unwell`: when each process died or was frozen first."""
    blocked = {pid_of(row["worker"]) for row in await engines.fetch(BLOCKED) if row["worker"]}
    rows = await engines.fetch(LOST)
    for row in rows:
        pid = pid_of(row["worker"]) if row["worker"] else 0
        if pid not in blocked and not (pid in unwell and unwell[pid] <= row["at"]):
            verdict.wrong.append(f"counted as lost while its worker lived: {dict(row)}")
    return len(rows)

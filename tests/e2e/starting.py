"""Commands of `scaicms` as processes, and what they write when they start."""

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCAICMS = [sys.executable, "-m", "scaicms"]
ARQ = [str(Path(sys.executable).parent / "arq"), "workers.search.WorkerSettings"]
COMMANDS = {
    "serve": [*SCAICMS, "serve"],
    "serve in processes": [*SCAICMS, "serve", "--processes", "2"],
    "worker": [*SCAICMS, "worker"],
    "arq": ARQ,
    "jobs": [*SCAICMS, "jobs", "list"],
    "queues": [*SCAICMS, "queues"],
    "user": [*SCAICMS, "user", "create-admin", "somebody@example.com"],
    "export": [*SCAICMS, "export", "x.ndjson", "--site", "x"],
    "dev": [*SCAICMS, "dev", "--no-reload"],
    "migrate": [*SCAICMS, "migrate"],
    "migrate --check": [*SCAICMS, "migrate", "--check"],
}
UNAVAILABLE, CONFIG = 69, 78


async def ended(process):
    """Exit code and output."""
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, said.decode()


def reasons(said):
    """The lines that say why; nobody sees a traceback."""
    assert "Traceback" not in said, said
    return [line for line in said.splitlines() if "PostgreSQL at" in line or "Redis at" in line]

"""The processes: started, watched, started again when they end, as a process manager would."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import psutil

from scaicms.embedded.guardian import Guardian
from tests.chaos.engines import Engines
from tests.chaos.timeline import Timeline

ROOT = Path(__file__).parents[2]
AGAIN_SECONDS = 0.5
READY_SECONDS = 60.0
CONCURRENCY = 5
SECRET = "a secret that is long enough for chaos"


class Process:
    """One slot of the fleet and whoever fills it now."""

    def __init__(self, name: str, module: str, env: Mapping[str, str], home: Path) -> None:
        self.name = name
        self.env = dict(env)
        self.paused = False
        self.failpoint = home / f"{name}.failpoint"
        self._command = [sys.executable, "-m", module]
        self._log = home / f"{name}.log"
        self._child: asyncio.subprocess.Process | None = None
        self._written_before = 0

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_alive(self) -> bool:
        return self._child is not None and self._child.returncode is None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.env['SCAICMS_PORT']}"

    async def spawn(self, guardian: Guardian) -> None:
        self._written_before = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *self._command, env=self.env, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
            )
        guardian.watch(self._child.pid, signal.SIGKILL)

    async def ended(self) -> int:
        return await self._child.wait()

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(number)

    @property
    def has_begun(self) -> bool:
        """Whether a worker that runs has said that it takes jobs."""
        if not self.is_alive or self.paused:
            return False
        with self._log.open("rb") as log:
            log.seek(self._written_before)
            return b"worker.ready" in log.read()

    def has_port(self, port: int) -> bool:
        """Whether it has a connection from this port of its own."""
        with contextlib.suppress(psutil.Error):
            return any(found.laddr.port == port for found in psutil.Process(self.pid).net_connections("tcp"))
        return False

    def arm(self, point: str) -> None:
        self.failpoint.write_text(point)

    def written(self) -> str:
        return self._log.read_text(errors="replace")


class Fleet:
    """Web and worker processes over the engines."""

    def __init__(self, engines: Engines, home: Path, timeline: Timeline, guardian: Guardian) -> None:
        self._engines, self._home, self._timeline, self._guardian = engines, home, timeline, guardian
        self._keepers: list[asyncio.Task[None]] = []
        self.unwell: dict[int, datetime] = {}
        """When each process died or was frozen, by its id."""
        self.webs: list[Process] = []
        self.workers: list[Process] = []

    async def start(
        self, *, webs: int, workers: int, novel: bool = True, envs: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        """`envs`: more of the environment of single processes, by name."""
        envs = envs or {}
        for number in range(webs):
            env = {"SCAICMS_PORT": str(_free_port()), **envs.get(f"web-{number}", {})}
            self.webs.append(self._process(f"web-{number}", "tests.chaos.fleet_web", env))
        for number in range(workers):
            env = {"CHAOS_NOVEL": "1" if novel else "0", "SCAICMS_DB_POOL_SIZE": "12"}
            env |= envs.get(f"worker-{number}", {})
            self.workers.append(self._process(f"worker-{number}", "tests.chaos.fleet_worker", env))
        for process in (*self.webs, *self.workers):
            await process.spawn(self._guardian)
            self._keepers.append(asyncio.create_task(self._keep(process)))
        await self.ready()

    def _process(self, name: str, module: str, env: Mapping[str, str]) -> Process:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SCAICMS_", "DATABASE_", "REDIS_", "COV"))}
        ours = {
            "SCAICMS_ENV": "test",
            "SCAICMS_HOME": str(self._home),
            "SCAICMS_SECRET": SECRET,
            "SCAICMS_ACCESS_TOKEN_SECONDS": "86400",
            "SCAICMS_DB_POOL_SIZE": "6",
            "SCAICMS_READ_POOL_SIZE": "4",
            "SCAICMS_WORKER_CONCURRENCY": str(CONCURRENCY),
            "SCAICMS_DRAIN_SECONDS": "3",
            "SCAICMS_WEBHOOK_REACH": "loopback",
            "STORAGE_URL": f"file://{self._home / 'store'}",
            "CHAOS_FAILPOINT": str(self._home / f"{name}.failpoint"),
        }
        return Process(name, module, {**kept, **ours, **self._engines.addresses, **env}, self._home)

    async def _keep(self, process: Process) -> None:
        while True:
            pid, code = process.pid, await process.ended()
            self.unwell.setdefault(pid, datetime.now(UTC))
            self._timeline.note(f"{process.name} ended with {code}; again in {AGAIN_SECONDS} s")
            process.paused = False
            process.failpoint.unlink(missing_ok=True)
            await asyncio.sleep(AGAIN_SECONDS)
            await process.spawn(self._guardian)

    async def is_well(self) -> bool:
        """Whether at most one web process and one worker are away or starting."""
        workers = sum(worker.has_begun for worker in self.workers)
        async with aiohttp.ClientSession() as session:
            webs = sum(await asyncio.gather(*(_answers(session, web.base) for web in self.webs)))
        return workers >= len(self.workers) - 1 and webs >= len(self.webs) - 1

    def freeze(self, process: Process) -> None:
        self.unwell.setdefault(process.pid, datetime.now(UTC))
        process.send(signal.SIGSTOP)

    def owner(self, port: int) -> Process | None:
        """Whose connection it is that comes from this port."""
        return next((process for process in (*self.webs, *self.workers) if process.has_port(port)), None)

    async def ready(self) -> None:
        """Every web process answers."""
        async with asyncio.timeout(READY_SECONDS), aiohttp.ClientSession() as session:
            for web in self.webs:
                while not await _answers(session, web.base):  # noqa: ASYNC110 - another process has no event for us
                    await asyncio.sleep(0.1)

    def teach(self) -> list[Process]:
        """Let workers that start from now on know the newest job; those that run and do not."""
        old = [worker for worker in self.workers if worker.env["CHAOS_NOVEL"] == "0"]
        for worker in old:
            worker.env["CHAOS_NOVEL"] = "1"
        return old

    async def stop(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for process in (*self.webs, *self.workers):
            if process.is_alive:
                process.send(signal.SIGKILL)
                await process.ended()


async def _answers(session: aiohttp.ClientSession, base: str) -> bool:
    try:
        async with session.get(f"{base}/healthz", timeout=aiohttp.ClientTimeout(total=2)) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

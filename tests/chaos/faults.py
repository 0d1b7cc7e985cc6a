"""What is done to the fleet and to the engines. The plan comes from the seed; the moments are the machine's."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp
import asyncpg

from tests.chaos.disk import SmallDisk
from tests.chaos.engines import Engines
from tests.chaos.fleet import CONCURRENCY, Fleet, Process
from tests.chaos.fleet_points import BEFORE_COMMIT, BEFORE_DOORBELL, BEFORE_RESPONSE
from tests.chaos.link_faults import LinkFaults
from tests.chaos.timeline import Timeline
from tests.chaos.workload import Promiser

LEASE_SECONDS = 15.0
HELD = "SELECT count(*) FROM jobs WHERE state = 'pending' AND lease_until > now() AND right(worker, length($1)) = $1"
# What takes a minute to end (three leases) belongs into runs of minutes, and not into their last one.
SLOW = ("poison", "block_loop")
# Of a connection that was merely forgotten, the server's keep-alive finds out after about this long.
KEEP_ALIVE_SECONDS = 60.0
RESTARTS = 3


@dataclass(frozen=True)
class Fault:
    """`target` picks a process; `share` (0 to 1) says how long, between the shortest and the longest of its kind."""

    name: str
    gap: float
    target: int
    share: float


def plan(seed: int, names: list[str], seconds: float, *, gap: tuple[float, float]) -> list[Fault]:
    """Every kind in turn, in a new order each time, until the time is used up."""
    rng, faults, used = random.Random(f"{seed}:{names[0]}"), [], 0.0
    deck: list[str] = []
    while used < seconds:
        if not deck:
            deck = rng.sample(names, len(names))
        fault = Fault(deck.pop(), rng.uniform(*gap), rng.randrange(1000), rng.random())
        if fault.name not in SLOW or used < seconds - 60:
            faults.append(fault)
        used += fault.gap
    return faults


def _names(kinds: Mapping[str, object], without: frozenset[str]) -> list[str]:
    return [name for name in kinds if name not in without]


class Faults:
    """Two lanes side by side: one for processes, one for engines."""

    def __init__(
        self,
        engines: Engines,
        fleet: Fleet,
        promiser: Promiser,
        disk: SmallDisk,
        timeline: Timeline,
        *,
        seed: int,
        seconds: float,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self._engines, self._fleet, self._promiser, self._timeline = engines, fleet, promiser, timeline
        self._disk, self._links = disk, LinkFaults(engines, fleet, timeline, seed)
        self._long = seconds >= 180
        self.count = 0
        self.kinds: dict[str, int] = {}
        self._processes: dict[str, Callable[[Fault], Awaitable[None]]] = {
            "kill_web": self._kill_web,
            BEFORE_COMMIT: self._fail_web,
            BEFORE_DOORBELL: self._fail_web,
            BEFORE_RESPONSE: self._fail_web,
            "stop_web": self._stop_web,
            "kill_worker": self._kill_worker,
            "stop_worker": self._stop_worker,
            "pause_worker": self._pause_worker,
            "poison": self._poison,
            "greedy": self._greedy,
            "block_loop": self._block_loop,
            "half_open_web": self._half_open_web,
            "half_open_worker": self._half_open_worker,
            "half_open_sweeper": self._half_open_sweeper,
            "half_open_upkeep": self._half_open_upkeep,
        }
        self._outages: dict[str, Callable[[Fault], Awaitable[None]]] = {
            "flush_valkey": self._flush_valkey,
            "kill_valkey": self._kill_valkey,
            "restart_valkey": self._restart_valkey,
            "freeze_valkey": self._freeze_valkey,
            "fill_valkey": self._fill_valkey,
            "silent_valkey": self._silent_valkey,
            "silent_database": self._silent_database,
            "kill_postgres": self._kill_postgres,
            "exhaust_pool": self._exhaust_pool,
            "deadlock": self._deadlock,
            "cut_commits": self._cut_commits,
            "restart_postgres_often": self._restart_postgres_often,
            "fill_disk": self._fill_disk,
        }
        gaps = ((4, 9), (3, 8)) if self._long else ((2, 5), (1, 3))
        self._lanes = [
            (self._processes, plan(seed, _names(self._processes, without), seconds, gap=gaps[0]), True),
            (self._outages, plan(seed, _names(self._outages, without), seconds, gap=gaps[1]), False),
        ]
        self._seconds = seconds

    async def run(self) -> None:
        """Until the time is up and every fault has ended: engines answer, what was paused goes on.

        Links to PostgreSQL that a fault has frozen stay so: the fleet has to live with the sessions behind them.
        """
        until = asyncio.get_running_loop().time() + self._seconds
        keeping_alive = asyncio.create_task(self._keep_alive())
        await asyncio.gather(*(self._lane(kinds, faults, until, apart) for kinds, faults, apart in self._lanes))
        keeping_alive.cancel()
        self._engines.valkey_door.cut()
        for worker in self._fleet.teach():
            worker.send(signal.SIGTERM)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(5)
            self._engines.database_door.cut(older_than=KEEP_ALIVE_SECONDS)

    async def _lane(
        self, kinds: dict[str, Callable[[Fault], Awaitable[None]]], faults: list[Fault], until: float, apart: bool
    ) -> None:
        """`apart`: the next fault does not wait for the end of the one before."""
        loop, pending = asyncio.get_running_loop(), []
        for fault in faults:
            await asyncio.sleep(fault.gap)
            if apart:
                await self._well(until)
            if loop.time() > until:
                break
            self.count += 1
            self.kinds[fault.name] = self.kinds.get(fault.name, 0) + 1
            task = asyncio.create_task(self._inflict(kinds[fault.name], fault))
            pending.append(task)
            if not apart:
                await task
        await asyncio.gather(*pending)

    async def _well(self, until: float) -> None:
        """Until processes work again, so that faults hit work: on a busy machine they take long to start."""
        while asyncio.get_running_loop().time() < until and not await self._fleet.is_well():  # noqa: ASYNC110
            await asyncio.sleep(0.5)  # other processes have no event for us

    async def _inflict(self, action: Callable[[Fault], Awaitable[None]], fault: Fault) -> None:
        self._timeline.note(f"fault {fault.name}")
        await action(fault)
        self._timeline.note(f"end of {fault.name}")

    def _web(self, fault: Fault) -> Process:
        return self._fleet.webs[fault.target % len(self._fleet.webs)]

    def _worker(self, fault: Fault) -> Process:
        return self._fleet.workers[fault.target % len(self._fleet.workers)]

    @staticmethod
    def _between(fault: Fault, shortest: float, longest: float) -> float:
        return shortest + fault.share * (longest - shortest)

    async def _kill_web(self, fault: Fault) -> None:
        self._web(fault).send(signal.SIGKILL)

    async def _stop_web(self, fault: Fault) -> None:
        self._web(fault).send(signal.SIGTERM)

    async def _fail_web(self, fault: Fault) -> None:
        self._web(fault).arm(fault.name)

    async def _busy(self, worker: Process) -> None:
        """Come back when the worker is in the middle of something, if it gets there within some seconds."""
        slots = CONCURRENCY * len(self._fleet.workers)
        effects = [{"name": "chaos.effect", "seconds": 2 + number / slots} for number in range(slots)]
        steps = [{"name": "chaos.steps", "steps": 8, "seconds": 0.3} for _ in range(slots)]
        await self._promiser.promise([*effects, *steps])
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            for _ in range(50):
                if await self._engines.fetchval(HELD, f":{worker.pid}"):
                    break
                await asyncio.sleep(0.1)

    async def _kill_worker(self, fault: Fault) -> None:
        worker = self._worker(fault)
        await self._busy(worker)
        worker.send(signal.SIGKILL)

    async def _stop_worker(self, fault: Fault) -> None:
        worker = self._worker(fault)
        await self._busy(worker)
        # The old release is replaced by the new one in the middle of the run.
        worker.env["CHAOS_NOVEL"] = "1"
        worker.send(signal.SIGTERM)

    async def _pause_worker(self, fault: Fault) -> None:
        worker = self._worker(fault)
        if worker.paused or not worker.is_alive:
            return
        worker.paused = True
        await self._busy(worker)
        pid = worker.pid
        self._fleet.freeze(worker)
        await asyncio.sleep(self._between(fault, LEASE_SECONDS + 6, LEASE_SECONDS + 12))
        if worker.is_alive and worker.pid == pid:
            worker.send(signal.SIGCONT)
            worker.paused = False

    async def _poison(self, fault: Fault) -> None:
        await self._promise_killer({"name": "chaos.poison", "seconds": 0.3})

    async def _greedy(self, fault: Fault) -> None:
        await self._promise_killer({"name": "chaos.greedy"})

    async def _block_loop(self, fault: Fault) -> None:
        await self._promise_killer({"name": "chaos.blocking"})

    async def _promise_killer(self, job: dict[str, object]) -> None:
        """Unless one of its kind is still about: each ends or blocks workers three times."""
        pending = "SELECT count(*) FROM jobs WHERE state = 'pending' AND name = $1"
        if not await self._engines.fetchval(pending, job["name"]):
            await self._promiser.promise([job])

    async def _half_open_web(self, fault: Fault) -> None:
        await self._links.half_open(self._web(fault))

    async def _half_open_worker(self, fault: Fault) -> None:
        worker = self._worker(fault)
        if not worker.paused:
            await self._busy(worker)
            await self._links.half_open(worker)

    async def _half_open_sweeper(self, fault: Fault) -> None:
        """In the middle of taking jobs back from dead workers."""
        await self._links.half_open_anywhere(b"lost_leases", "freeze_after", restart=self._worker(fault))

    async def _half_open_upkeep(self, fault: Fault) -> None:
        """In the middle of promising periodic work, or of giving events their place in the feed."""
        if fault.target % 2:
            await self._links.half_open_anywhere(b"UPDATE schedules", "freeze_after", restart=self._worker(fault))
        else:
            # Readers of the feed have it written as well.
            await self._links.half_open_anywhere(b"event_chain", "freeze_after", restart=self._web(fault))

    async def _cut_commits(self, fault: Fault) -> None:
        """Of a web process and of a worker, at the same time."""
        await asyncio.gather(self._links.cut_commits(self._web(fault)), self._links.cut_commits(self._worker(fault)))

    async def _restart_postgres_often(self, fault: Fault) -> None:
        """Again and again under the same long jobs, apart by more than a lease in long runs."""
        for number in range(RESTARTS):
            if number:
                await asyncio.sleep(self._between(fault, 8, 20) if self._long else 2)
            await self._engines.crash(self._engines.postgres)

    async def _fill_disk(self, fault: Fault) -> None:
        """No room for files; without a file system of its own there is nothing to fill."""
        if self._disk.is_mounted:
            await asyncio.to_thread(self._disk.fill)
            await asyncio.sleep(self._between(fault, 3, 8))
            self._disk.clear()

    async def _flush_valkey(self, fault: Fault) -> None:
        async with self._engines.cache() as cache:
            await cache.flushall()

    async def _kill_valkey(self, fault: Fault) -> None:
        await self._engines.kill(self._engines.valkey)

    async def _restart_valkey(self, fault: Fault) -> None:
        await self._engines.restart(self._engines.valkey)

    async def _freeze_valkey(self, fault: Fault) -> None:
        async with self._engines.frozen(self._engines.valkey):
            await asyncio.sleep(60 if self._long else 6)

    async def _fill_valkey(self, fault: Fault) -> None:
        async with self._engines.cache() as cache:
            await cache.config_set("maxmemory", 1)
            await asyncio.sleep(self._between(fault, 3, 8))
            await cache.config_set("maxmemory", 0)

    async def _silent_valkey(self, fault: Fault) -> None:
        door = self._engines.valkey_door
        self._timeline.note(f"{door.go_silent()} connections to Valkey are half-open")
        await asyncio.sleep(self._between(fault, 3, 8))
        door.speak_again()

    async def _silent_database(self, fault: Fault) -> None:
        door = self._engines.database_door
        self._timeline.note(f"{door.go_silent()} connections to PostgreSQL are half-open")
        await asyncio.sleep(self._between(fault, 2, 8))
        door.speak_again()

    async def _kill_postgres(self, fault: Fault) -> None:
        await self._engines.kill(self._engines.postgres)

    async def _exhaust_pool(self, fault: Fault) -> None:
        """More long transactions than a web process has connections."""
        base, seconds = self._web(fault).base, self._between(fault, 2, 4)

        async def hold(session: aiohttp.ClientSession) -> None:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.post(f"{base}/chaos/hold", json={"seconds": seconds}) as response:
                    await response.read()

        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            await asyncio.gather(*(hold(session) for _ in range(20)))

    async def _deadlock(self, fault: Fault) -> None:
        """Locks jobs first and items then, which is the other way round than a publication does."""
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            async with self._engines.session() as session, session.transaction():
                # Let the others be the victims, and wait for nobody who is frozen.
                await session.execute("SET LOCAL deadlock_timeout = '3s'; SET LOCAL lock_timeout = '4s'")
                await session.execute("SELECT 1 FROM jobs WHERE state = 'pending' FOR UPDATE")
                await asyncio.sleep(0.3)
                await session.execute(
                    "SELECT 1 FROM items WHERE deleted_at IS NULL ORDER BY id DESC LIMIT 200 FOR UPDATE"
                )

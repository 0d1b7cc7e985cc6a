"""Faults of connections: one freezes at a statement and its process dies; the answer to a COMMIT is lost."""

import asyncio
import random
import signal

from tests.chaos.engines import Engines
from tests.chaos.fleet import Fleet, Process
from tests.chaos.proxy import COMMIT, Action, Link, Trap
from tests.chaos.timeline import Timeline

SPRING_SECONDS = 8.0
# Statements to freeze at: any, ends of transactions, and what asyncpg sends when it first prepares these.
PLACES = (b"", b"", b"", COMMIT, b"BEGIN", b"UPDATE jobs", b"INSERT INTO")
MOST_SKIPPED = 40
COMMITS = 3


class LinkFaults:
    """Half-open links whose process is killed, and lost acknowledgements of commits."""

    def __init__(self, engines: Engines, fleet: Fleet, timeline: Timeline, seed: int) -> None:
        self._door, self._fleet, self._timeline = engines.database_door, fleet, timeline
        self._rng = random.Random(f"{seed}:links")

    async def half_open(self, process: Process) -> None:
        """A link of the process freezes at a random statement; then the process is killed."""
        place, action = self._rng.choice(PLACES), self._rng.choice(("freeze_before", "freeze_after"))
        skip = self._rng.randrange(MOST_SKIPPED) if place == b"" else 0
        await self._spring(
            Trap(action, place, skip, lambda link: process.has_port(link.port), for_good=True), kill=True
        )

    async def half_open_anywhere(self, text: bytes, action: Action, *, restart: Process) -> None:
        """The first link that sends `text` freezes, and its process is killed. One process begins anew, since a
        statement is sent as text only once for each connection."""
        trap = Trap(action, text, for_good=True)
        restart.send(signal.SIGTERM)
        await self._spring(trap, kill=True)

    async def cut_commits(self, process: Process) -> None:
        """Some COMMITs are done, and nobody who asked for them hears it."""

        def of_process(link: Link) -> bool:
            return process.has_port(link.port)

        traps = [Trap("cut_answer", COMMIT, self._rng.randrange(3), of_process) for _ in range(COMMITS)]
        await asyncio.gather(*(self._spring(trap, kill=False) for trap in traps))

    async def _spring(self, trap: Trap, *, kill: bool) -> None:
        self._door.set_trap(trap)
        try:
            async with asyncio.timeout(SPRING_SECONDS):
                link = await asyncio.shield(trap.sprung)
        except TimeoutError:
            self._timeline.note(f"no link has come to {trap.text!r}")
            return
        finally:
            self._door.take_away(trap)
        process = self._fleet.owner(link.port)
        name = process.name if process is not None else "somebody"
        self._timeline.note(f"a link of {name} is caught: {trap.action} at {trap.text!r}")
        if kill and process is not None:
            process.send(signal.SIGKILL)

"""One run: start everything, let people work while things break, let it come to rest, judge."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from scaicms import registry
from scaicms.app import create_services
from scaicms.embedded.guardian import Guardian
from scaicms.features.roles.service import RoleService
from scaicms.features.users.service import UserService
from scaicms.infra.db.migrations import migrate
from scaicms.kit.principal import SYSTEM
from scaicms.settings import Settings
from tests.chaos.client import Client, NoAnswerError, Seen
from tests.chaos.engines import Engines
from tests.chaos.faults import Faults
from tests.chaos.fleet import SECRET, Fleet
from tests.chaos.invariants import Verdict, judge
from tests.chaos.timeline import Timeline
from tests.chaos.work import TABLE
from tests.chaos.workload import API, TYPE, Editor, Promiser, Record

SITES = ("one", "two")
EDITORS_A_SITE = 2
ADMIN, PASSWORD = "admin@example.com", "correct horse battery staple"
ANSWER_SECONDS = 60.0
# The lease of a worker that died with the last fault runs out first; then nothing may lie about.
LEASE_SECONDS, ORPHAN_SECONDS = 15.0, 15.0
SETTLE_SECONDS = 180.0

# Periodic work is promised again and again, and so is never at an end.
PENDING = "SELECT count(*) FROM jobs WHERE state = 'pending' AND name <> 'chaos.tick'"
ORPHANS = """
SELECT id, queue, name, run_at, fence, lost_leases, last_error FROM jobs
WHERE state = 'pending' AND run_at < now() - $1 * interval '1 second' AND (lease_until IS NULL OR lease_until < now())
"""
ASIDE = "SELECT id, name FROM jobs WHERE state = 'quarantined' AND name <> ALL($1)"
KILLERS = ["chaos.poison", "chaos.greedy", "chaos.blocking"]


@dataclass
class Outcome:
    """A run that is over."""

    seed: int
    verdict: Verdict
    figures: dict[str, Any]
    timeline: Timeline

    def report(self) -> str:
        again = f"pytest tests/chaos --chaos-seeds {self.seed} --chaos-minutes {self.figures['minutes']}"
        broken = "\n".join(self.verdict.broken[:50])
        return f"{broken}\n\n{self.timeline}\n\n{json.dumps(self.figures)}\nAgain: {again}"


class Ground:
    """Engines and a fleet over them, with two sites and an administrator."""

    def __init__(self, home: Path) -> None:
        self.timeline, self.seen = Timeline(), Seen()
        self._guardian, self._home = Guardian(), home
        self.engines = Engines(home, self._guardian)
        self.fleet = Fleet(self.engines, home, self.timeline, self._guardian)
        self._session = aiohttp.ClientSession()
        self._token = ""

    @classmethod
    @asynccontextmanager
    async def prepared(cls, home: Path, **size: Any) -> AsyncIterator["Ground"]:
        ground = cls(home)
        try:
            await ground._start(**size)
            yield ground
        finally:
            await ground._session.close()
            await ground.fleet.stop()
            await ground.engines.stop()
            ground._guardian.dismiss()

    async def _start(self, **size: Any) -> None:
        await self.engines.start()
        settings = Settings(
            env="test",
            home=self._home,
            secret=SECRET,
            database_url=self.engines.postgres.url,
            redis_url=self.engines.valkey.url,
        )
        await migrate(settings.database_url, registry.model_modules())
        async with create_services(settings, kind="worker") as services:
            await services.get(RoleService).ensure_built_in(SYSTEM)
            await services.get(UserService).ensure_administrator(SYSTEM, ADMIN, PASSWORD)
        async with self.engines.session() as session:
            await session.execute(TABLE)
        await self.fleet.start(**size)
        await self._seed()

    async def _seed(self) -> None:
        client = self.client("seed")
        entered = await client.ask("POST", f"{API}/auth/login", json={"email": ADMIN, "password": PASSWORD})
        self._token = entered.json["access_token"]
        client = self.client("seed")
        for site in SITES:
            made = await client.ask("POST", f"{API}/sites", json={"key": site, "name": site})
            assert made.status == 201, made
            made = await client.ask("POST", f"{API}/content-types", json=TYPE, headers={"X-Site-ID": site})
            assert made.status == 201, made

    def client(self, seed: str) -> Client:
        client = Client(self._session, self.fleet.webs, self.seen, self.timeline, seed)
        if self._token:
            client.headers["Authorization"] = f"Bearer {self._token}"
        return client

    async def rest(self, seconds: float = SETTLE_SECONDS) -> None:
        """Wait until no job is pending, but no longer than this."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while await self.engines.fetchval(PENDING):
            if loop.time() > deadline:
                self.timeline.note("some jobs are still pending: not waiting any longer")
                return
            await asyncio.sleep(0.3)


async def run(home: Path, *, seed: int, minutes: float, webs: int = 2, workers: int = 3) -> Outcome:
    """A whole run of this length; the judgement is the caller's to act on."""
    async with Ground.prepared(home, webs=webs, workers=workers, novel=False) as ground:
        record = Record()
        faults, stuck = await _drive(ground, record, seed, minutes * 60)
        orphans = await _settle(ground)
        aside = await _replay(ground, record)
        await ground.rest()
        verdict = await judge(ground.engines, ground.client("judge"), record, ground.seen)
        verdict.wrong += [*stuck, *orphans]
        figures = _figures(ground, record, faults, verdict)
        figures |= {"seed": seed, "minutes": minutes, "set_aside_and_replayed": aside}
        (home / "timeline.txt").write_text(str(ground.timeline))
        (home / "acknowledged.jsonl").write_text("\n".join(json.dumps(line) for line in record.lines))
        return Outcome(seed, verdict, figures, ground.timeline)


async def _drive(ground: Ground, record: Record, seed: int, seconds: float) -> tuple[Faults, list[str]]:
    """Everybody works while things break; then everybody finishes what they have begun."""
    stop = asyncio.Event()
    promiser = Promiser(ground.client(f"{seed}:jobs"), record)
    clients = [
        (site, number, ground.client(f"{seed}:{site}{number}")) for site in SITES for number in range(EDITORS_A_SITE)
    ]
    working = [asyncio.create_task(promiser.work(stop))]
    for site, number, client in clients:
        editor = Editor(client, site, f"s{seed}{site}{number}", record, ground.timeline)
        working.append(asyncio.create_task(editor.work(stop)))
    faults = Faults(ground.engines, ground.fleet, promiser, ground.timeline, seed=seed, seconds=seconds)
    await faults.run()
    ground.timeline.note("calm")
    stop.set()
    deadline = asyncio.get_running_loop().time() + ANSWER_SECONDS
    for client in (promiser.client, *(client for _, _, client in clients)):
        client.deadline = deadline
    ended = await asyncio.gather(*working, return_exceptions=True)
    stuck = [
        f"no answer within {ANSWER_SECONDS:g} s of calm: {error}" for error in ended if isinstance(error, NoAnswerError)
    ]
    for error in ended:
        if isinstance(error, BaseException) and not isinstance(error, NoAnswerError):
            raise error
    return faults, stuck


async def _settle(ground: Ground) -> list[str]:
    """Nothing due lies about 15 s after the last lease of a dead worker has run out."""
    await ground.rest(LEASE_SECONDS + ORPHAN_SECONDS)
    rows = await ground.engines.fetch(ORPHANS, ORPHAN_SECONDS)
    await ground.rest()
    return [f"an orphan: {dict(row)}" for row in rows]


async def _replay(ground: Ground, record: Record) -> int:
    """Jobs that were set aside because their workers were killed under them three times: an operator retries them."""
    client = ground.client("operator")
    rows = await ground.engines.fetch(ASIDE, KILLERS)
    for row in rows:
        answer = await client.ask("POST", f"{API}/search/jobs/{row['id']}/retry", headers={"X-Site-ID": SITES[0]})
        ground.timeline.note(f"retried {row['name']} {row['id']}: {answer.status}")
    return len(rows)


def _figures(ground: Ground, record: Record, faults: Faults, verdict: Verdict) -> dict[str, Any]:
    return {
        "acknowledged_writes": sum(record.writes.values()),
        "acknowledged_jobs": len(record.jobs),
        "jobs": sum(verdict.states.values()),
        "faults": faults.count,
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "wrong": len(verdict.wrong),
        "unclear_answers": ground.seen.unclear,
        "answered_when_repeated": ground.seen.repeated,
        "statuses": dict(sorted(ground.seen.statuses.items())),
        "kinds": faults.kinds,
        "states": dict(sorted(verdict.states.items())),
    }

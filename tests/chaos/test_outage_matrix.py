"""Every kind of outage of every server has one answer: the one that `docs/operations/outages.md` gives."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio

from tests.chaos.ground import Ground
from tests.chaos.object_store import ObjectStore, environment, serve_objects
from tests.chaos.outage_table import Expected, tables
from tests.chaos.outages import (
    Outage,
    away,
    frozen,
    frozen_store,
    full_disk,
    full_memory,
    half_open,
    slow,
)
from tests.chaos.probes import Answer, Probes, command
from tests.chaos.proxy import Proxy

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]
TABLES = tables()
# Of a machine that does other things as well. For commands, what starting one takes here is measured.
GRACE_SECONDS = 4.0
AT_ONCE = 3
"""Requests of each row at the same time: all together are more than a process has connections."""
JOB, COMMAND, NORMAL = "a job", "scaicms jobs list", "back to normal"
SERVERS = ("PostgreSQL", "Redis", "File store")
CASES = [(server, outage) for server in SERVERS for outage in TABLES[server]]

# What a create leaves behind: an item of one entry, published, with its events, and its words in the index later.
PARTIAL = """
SELECT i.id FROM items i
LEFT JOIN entries e ON e.item_id = i.id LEFT JOIN documents d ON d.item_id = i.id
WHERE e.id IS NULL OR d.id IS NULL
   OR (SELECT count(*) FROM events v WHERE v.aggregate_id = i.id AND v.type = 'content.created') <> 1
"""


class House:
    """A fleet whose servers can all be out. The first web process and the worker keep files in an object store, the
    second one in a folder on a small disk."""

    def __init__(self, ground: Ground, session: aiohttp.ClientSession, store: ObjectStore, door: Proxy) -> None:
        self.ground = ground
        remote, local = (Probes(ground, session, web) for web in ground.fleet.webs)
        self._probes = {("File store", "full"): local}
        self._remote = remote
        self.command_seconds = 0.0
        """How long the command takes without an outage."""
        engines = ground.engines
        self.outages: dict[tuple[str, str], Outage] = {
            ("PostgreSQL", "away"): partial(away, engines.database_door),
            ("PostgreSQL", "frozen"): partial(frozen, engines.postgres),
            ("PostgreSQL", "half-open"): partial(half_open, engines.database_door),
            ("PostgreSQL", "slow"): partial(slow, engines.database_door),
            ("PostgreSQL", "full"): partial(full_disk, ground.database_disk),
            ("Redis", "away"): partial(away, engines.valkey_door),
            ("Redis", "frozen"): partial(frozen, engines.valkey),
            ("Redis", "half-open"): partial(half_open, engines.valkey_door),
            ("Redis", "slow"): partial(slow, engines.valkey_door),
            ("Redis", "full"): partial(full_memory, engines),
            ("File store", "away"): partial(away, door),
            ("File store", "frozen"): partial(frozen_store, store),
            ("File store", "half-open"): partial(half_open, door),
            ("File store", "slow"): partial(slow, door),
            ("File store", "full"): partial(full_disk, ground.disk),
        }

    async def prepare(self) -> None:
        for probes in (self._remote, *self._probes.values()):
            await probes.prepare()
        self.command_seconds = (await self.command()).seconds

    async def command(self) -> Answer:
        return await command(self.ground.fleet.workers[0], *COMMAND.split()[1:])

    def probes(self, server: str, outage: str) -> Probes:
        return self._probes.get((server, outage), self._remote)

    async def promise(self) -> UUID:
        """A job that is due in a second."""
        client = self.ground.client("jobs")
        answer = await client.ask("POST", "/chaos/jobs", json={"jobs": [{"name": "chaos.effect", "delay": 1}]})
        return UUID(answer.json["ids"][0])

    async def done(self, job: UUID, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if await self.ground.engines.fetchval("SELECT state FROM jobs WHERE id = $1", job) == "done":
                return True
            await asyncio.sleep(0.3)
        return False

    def logged(self) -> dict[str, int]:
        fleet = self.ground.fleet
        return {process.name: len(process.written()) for process in (*fleet.webs, *fleet.workers)}

    def tracebacks_since(self, before: dict[str, int]) -> list[str]:
        fleet = self.ground.fleet
        texts = ((process.name, process.written()[before[process.name] :]) for process in (*fleet.webs, *fleet.workers))
        return [f"{name}: {line[:1500]}" for name, text in texts for line in text.splitlines() if "Traceback" in line]


@pytest_asyncio.fixture(scope="module")
async def house(tmp_path_factory) -> AsyncIterator[House]:
    async with serve_objects() as store:
        door = Proxy(f"127.0.0.1:{store.port}")
        await door.start()
        remote = environment(door.port)
        size = {"webs": 2, "workers": 1, "envs": {"web-0": remote, "worker-0": remote}}
        home = tmp_path_factory.mktemp("outages")
        async with Ground.prepared(home, small_database=True, **size) as ground, aiohttp.ClientSession() as session:
            house = House(ground, session, store, door)
            await house.prepare()
            yield house
        await door.stop()


@pytest.mark.parametrize(("server", "outage"), CASES, ids=["-".join(case).replace(" ", "_") for case in CASES])
async def test_an_outage_is_answered_as_the_page_says(house, server, outage):
    disks = {"PostgreSQL": house.ground.database_disk, "File store": house.ground.disk}
    if outage == "full" and server in disks and not disks[server].is_mounted:
        pytest.skip("a disk that can be filled needs root")
    expected, probes = TABLES[server][outage], house.probes(server, outage)
    async with house.ground.engines.cache() as cache:
        await cache.flushall()  # attempts to log in are counted
    before, job = house.logged(), await house.promise()
    problems = []
    async with house.outages[server, outage]():
        problems += await answers(probes, expected)
        if expected[JOB].what == "goes on" and not await house.done(job, expected[JOB].seconds + GRACE_SECONDS):
            problems.append(f"{JOB} did not go on")
        if COMMAND in expected:
            problems += judge_command(expected[COMMAND], await house.command(), house.command_seconds)
    problems += await normal(probes, expected[NORMAL].seconds + GRACE_SECONDS)
    if not await house.done(job, expected[JOB].seconds + GRACE_SECONDS):
        problems.append(f"{JOB} was not done {expected[JOB].seconds:g} s after the outage")
    problems += house.tracebacks_since(before)
    problems += [f"half of an item: {row['id']}" for row in await house.ground.engines.fetch(PARTIAL)]
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


async def answers(probes: Probes, expected: dict[str, Expected]) -> list[str]:
    """Ask for every row, all at the same time; what is not as it should be."""
    asked = [name for name in probes.rows for _ in range(AT_ONCE)]
    got = await asyncio.gather(*(probes.rows[name]() for name in asked))
    return [problem for name, answer in zip(asked, got, strict=True) for problem in judge(name, expected[name], answer)]


def judge(name: str, expected: Expected, answer: Answer) -> list[str]:
    problems = []
    if (answer.status, answer.code) not in expected.answers:
        problems.append(f"{name}: {answer.status} {answer.code}, not {expected.what}: {answer.text[:300]}")
    if answer.seconds > expected.seconds + GRACE_SECONDS:
        problems.append(f"{name}: {answer.seconds:.1f} s, not {expected.seconds:g} s")
    if "Traceback" in answer.text or ".py" in answer.text:
        problems.append(f"{name}: a traceback: {answer.text[:500]}")
    return problems


def judge_command(expected: Expected, answer: Answer, usual: float) -> list[str]:
    problems = []
    if answer.status != int(expected.what.removeprefix("exit ")):
        problems.append(f"{COMMAND}: exit {answer.status}, not {expected.what}: {answer.text[-600:]}")
    if answer.seconds > expected.seconds + 2 * usual:
        problems.append(f"{COMMAND}: {answer.seconds:.1f} s, not {expected.seconds:g} s")
    if "Traceback" in answer.text:
        problems.append(f"{COMMAND}: a traceback: {answer.text[-600:]}")
    return problems


async def normal(probes: Probes, seconds: float) -> list[str]:
    """Wait until every request is answered as without an outage."""
    deadline = time.monotonic() + seconds
    while True:
        got = {name: await probe() for name, probe in probes.rows.items() if name != "log in"}
        wrong = {name: answer.status for name, answer in got.items() if not 200 <= answer.status < 300}
        if not wrong:
            return []
        if time.monotonic() > deadline:
            return [f"{seconds:g} s after the outage: {wrong}"]
        await asyncio.sleep(0.5)

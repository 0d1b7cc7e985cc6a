"""A process vanishes behind a frozen link while PostgreSQL keeps its session and its lock: others get the lock."""

import asyncio
import signal
import sys
import time

import asyncpg
import pytest
import pytest_asyncio

from scaicms.infra.db.sessions import SILENT_SECONDS
from scaicms.infra.db.stale_sessions import LOCKING_IDLE_SECONDS
from scaicms.infra.jobs.sweeper import SWEEP_SECONDS
from tests.chaos.fleet import ROOT
from tests.chaos.run import API, Ground

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
SITE = {"X-Site-ID": "one"}
MARGIN_SECONDS = 12
BOUND_SECONDS = SILENT_SECONDS + SWEEP_SECONDS + MARGIN_SECONDS


@pytest_asyncio.fixture(scope="module")
async def ground(tmp_path_factory):
    async with Ground.prepared(tmp_path_factory.mktemp("outlived"), webs=1, workers=1) as ground:
        yield ground


@pytest_asyncio.fixture(autouse=True)
async def cleared(ground):
    yield
    ground.engines.database_door.cut()


async def restarted_web(ground):
    """A web process that has prepared no statement yet."""
    web = ground.fleet.webs[0]
    old = web.pid
    web.send(signal.SIGKILL)
    async with asyncio.timeout(30):
        while web.pid == old:  # noqa: ASYNC110 - a process has no event for us
            await asyncio.sleep(0.1)
    await ground.fleet.ready()
    return web


# What a save, a publication and a change of terms lock, by the statement that takes the lock.
LOCKS = {
    "idempotency key": (b"pg_try_advisory_xact_lock", "POST"),
    "item": (b"FOR UPDATE OF i", "PATCH"),
    "content type": (b"hold_content_type", "PATCH"),
    "events of a change": (b"INSERT INTO events", "PATCH"),
    "publication": (b"INSERT INTO documents", "publish"),
}


@pytest.mark.parametrize("lock", LOCKS)
async def test_what_a_vanished_request_locked_can_be_changed_within_the_bound(ground, lock):
    words, method = LOCKS[lock]
    client = ground.client(f"outlived {lock}")
    body = {"type": "note", "data": {"title": lock}}
    item = (await client.ask("POST", f"{API}/content", json=body, headers=SITE)).json["id"]
    requests = {
        "POST": ("POST", f"{API}/content", body, {**SITE, "Idempotency-Key": f"outlived {lock}"}),
        "PATCH": ("PATCH", f"{API}/content/{item}", {"data": {"title": "changed"}}, SITE),
        "publish": ("POST", f"{API}/content/{item}/publish", {}, SITE),
    }
    verb, path, sent, headers = requests[method]
    web = await restarted_web(ground)
    trap = ground.engines.database_door.freeze_after(words)
    first = asyncio.create_task(client.try_once(verb, path, json=sent, headers=headers))
    await asyncio.wait_for(trap, 30)
    web.send(signal.SIGKILL)
    await asyncio.wait({first})
    began = time.monotonic()
    client.deadline = asyncio.get_running_loop().time() + 60
    answer = await client.ask(verb, path, json=sent, headers=headers)
    assert answer.status in (200, 201)
    assert time.monotonic() - began < BOUND_SECONDS
    if method == "POST":
        sql = "SELECT count(*) FROM entries WHERE data->>'title' = $1"
        assert await ground.engines.fetchval(sql, lock) == 2, "the one made first, and one for the key"


async def test_indexes_are_built_after_a_worker_vanished_in_the_middle_of_a_build(ground):
    client, worker = ground.client("indexes"), ground.fleet.workers[0]
    trap = ground.engines.database_door.freeze_after(b"pg_try_advisory_lock")
    fields = [{"key": "rank", "type": "integer", "indexed": True}]
    body = {"key": "ranked", "name": "Ranked", "fields": fields}
    made = await client.ask("POST", f"{API}/content-types", json=body, headers=SITE)
    await asyncio.wait_for(trap, 30)
    worker.send(signal.SIGKILL)
    began = time.monotonic()

    async def is_built():
        sql = """SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                 WHERE i.indisvalid AND c.relname LIKE $1"""
        return await ground.engines.fetchval(sql, f"dx_{made.json['id'].replace('-', '')}%") > 0

    async with asyncio.timeout(LOCKING_IDLE_SECONDS + 60):
        while not await is_built():  # noqa: ASYNC110 - an index has no event for us
            await asyncio.sleep(0.5)
    assert time.monotonic() - began < LOCKING_IDLE_SECONDS + BOUND_SECONDS


async def test_migrations_run_after_a_process_vanished_with_their_lock(ground):
    trap = ground.engines.database_door.freeze_after(b"pg_try_advisory_lock")
    env = {**ground.fleet.webs[0].env}
    command = [sys.executable, "-m", "scaicms", "migrate"]
    first = await asyncio.create_subprocess_exec(*command, env=env, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)
    await asyncio.wait_for(trap, 60)
    first.kill()
    await first.wait()
    began = time.monotonic()
    second = await asyncio.create_subprocess_exec(*command, env=env, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)
    assert await asyncio.wait_for(second.wait(), LOCKING_IDLE_SECONDS + 60) == 0
    assert time.monotonic() - began < LOCKING_IDLE_SECONDS + BOUND_SECONDS


async def test_a_session_of_somebody_else_is_left_alone(ground):
    """Another program of the same user that is silent in a transaction, and one of ours that is not."""
    names = {"their program": False, "scaicms": True}
    sessions = {}
    for name in names:
        sessions[name] = await asyncpg.connect(
            ground.engines.postgres.url, server_settings={"application_name": name}, timeout=30
        )
        await sessions[name].execute("BEGIN")
        await sessions[name].execute("SELECT 1")
    await asyncio.sleep(SILENT_SECONDS + 2 * SWEEP_SECONDS + 4)
    for name, ended in names.items():
        assert sessions[name].is_closed() is ended, name
        sessions[name].terminate()

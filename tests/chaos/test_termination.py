"""SIGTERM: what is idle ends at once, and what is busy ends within its bound, whatever it does."""

import asyncio
import http.client
import os
import signal
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

from scaicms.cli.worker import EXIT_SECONDS
from tests.chaos.fleet import _free_port
from tests.chaos.run import Ground

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]
DRAIN_SECONDS = 3  # of the fleet
# A busy machine gives the process the processor a little later.
IDLE_SECONDS = 1.0
MARGIN_SECONDS = 3.0


async def ends(worker, pid, number=signal.SIGTERM):
    """Send the signal; how long the process takes to end."""
    process, began = psutil.Process(pid), time.monotonic()
    worker.send(number)
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110 - no child of this loop
        await asyncio.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture
async def ground(tmp_path):
    async with Ground.prepared(tmp_path, webs=1, workers=1) as ground:
        yield ground


async def running(ground):
    return await ground.engines.fetchval("SELECT count(*) FROM jobs WHERE lease_until > now() AND state = 'pending'")


async def test_an_idle_worker_ends_at_once(ground):
    worker = ground.fleet.workers[0]
    async with asyncio.timeout(40):
        while "worker.ready" not in worker.written():  # noqa: ASYNC110 - another process has no event for us
            await asyncio.sleep(0.2)
    await ground.rest(30)
    assert await ends(worker, worker.pid) < IDLE_SECONDS


@pytest.mark.parametrize("kind", ["waiting", "stubborn", "blocking"])
async def test_a_busy_worker_ends_within_its_bound_and_its_jobs_go_on_elsewhere(ground, kind):
    client, worker = ground.client("busy"), ground.fleet.workers[0]
    work = {
        "waiting": [{"name": "chaos.effect", "seconds": 60}, {"name": "chaos.steps", "seconds": 60}],
        "stubborn": [{"name": "chaos.stubborn", "seconds": 60}],
        "blocking": [{"name": "chaos.blocking"}],
    }[kind]
    jobs = work * 10 + [{"name": "chaos.steps", "steps": 3, "seconds": 1}]
    ids = (await client.ask("POST", "/chaos/jobs", json={"jobs": jobs})).json["ids"]
    async with asyncio.timeout(40):
        while not await running(ground):  # noqa: ASYNC110 - a row has no event for us
            await asyncio.sleep(0.1)
    await asyncio.sleep(2)
    assert await ends(worker, worker.pid) < DRAIN_SECONDS + EXIT_SECONDS + MARGIN_SECONDS
    if kind != "blocking":
        sql = "SELECT max(lost_leases) FROM jobs WHERE id = ANY($1::text[]::uuid[])"
        assert await ground.engines.fetchval(sql, ids) == 0


@pytest.mark.parametrize("processes", [1, 2])
def test_an_idle_web_tier_that_has_answered_ends_at_once_although_clients_stay_connected(ground, processes, tmp_path):
    port = _free_port()
    # Not through the proxies, which stand still while this test waits.
    engines = {"DATABASE_URL": ground.engines.postgres.url, "REDIS_URL": ground.engines.valkey.url}
    env = {**ground.fleet.webs[0].env, **engines, "SCAICMS_PORT": str(port), "SCAICMS_DRAIN_SECONDS": "25"}
    command = [sys.executable, "-m", "scaicms", "serve", "--processes", str(processes)]
    log = (tmp_path / "serve.log").open("wb")
    with log, subprocess.Popen(command, env=env, stderr=log, stdout=log) as process:
        base = f"http://127.0.0.1:{port}"
        for _ in range(1500):
            try:
                urllib.request.urlopen(f"{base}/healthz").read()
                break
            except OSError:
                time.sleep(0.1)
        clients = []
        for _ in range(8):
            client = http.client.HTTPConnection("127.0.0.1", port)
            client.request("GET", "/readyz")
            assert client.getresponse().read()
            clients.append(client)
        time.sleep(2)  # until the other process has started, too
        began = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0
        assert time.monotonic() - began < IDLE_SECONDS

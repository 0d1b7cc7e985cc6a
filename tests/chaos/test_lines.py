"""Three workers, two receivers that never answer, one that does; and workers that are killed while it waits in line."""

import asyncio
import contextlib
import signal

import pytest
import pytest_asyncio

from tests.chaos.ground import Ground
from tests.chaos.workload import API

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
SITE = {"X-Site-ID": "one"}
NUMBER = 200
CALM_SECONDS = 30.0
HOOKS = {"hangs": "/hangs/first", "stuck": "/hangs/second", "answers": "/answers/one"}


@pytest_asyncio.fixture(scope="module")
async def ground(tmp_path_factory):
    async with Ground.prepared(tmp_path_factory.mktemp("lines"), webs=1, workers=3) as ground:
        client = ground.client("hooks")
        for name, path in HOOKS.items():
            body = {"name": name, "url": ground.receivers.base + path, "events": ["content.created"]}
            made = await client.ask("POST", f"{API}/webhooks", json=body, headers=SITE)
            assert made.status == 201, made
            ground.receivers.secrets[path] = made.json["secret"]
        yield ground


async def create(ground, name):
    """So many items, and as many deliveries for each webhook."""
    client = ground.client(name)
    for start in range(0, NUMBER, 50):
        data = [{"title": f"{name} {start + number}", "body": "x"} for number in range(50)]
        operations = [{"op": "create", "type": "note", "data": one} for one in data]
        made = await client.ask("POST", f"{API}/content/bulk", json={"operations": operations}, headers=SITE)
        assert (made.status, made.json["failed"]) == (200, 0), made


async def came(ground, number, seconds):
    """Wait until so many events have come to the receiver that answers."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while len(ground.receivers.requests[HOOKS["answers"]]) < number:  # noqa: ASYNC110 - others count it
                await asyncio.sleep(0.05)
    return len(ground.receivers.requests[HOOKS["answers"]])


async def test_a_receiver_that_answers_does_not_wait_for_those_that_hang(ground):
    await create(ground, "calm")
    assert await came(ground, NUMBER, 15) == NUMBER  # idle machines take less than two seconds


async def test_deliveries_are_tried_soon_after_all_workers_were_killed_in_the_middle(ground):
    before = len(ground.receivers.requests[HOOKS["answers"]])
    creating = asyncio.create_task(create(ground, "killed"))
    await came(ground, before + NUMBER // 10, 20)
    for worker in ground.fleet.workers:
        worker.send(signal.SIGKILL)
    await creating
    assert await came(ground, before + NUMBER, CALM_SECONDS) == before + NUMBER
    assert ground.receivers.wrong == []

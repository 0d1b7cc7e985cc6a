"""Receivers that are slow or worse, beside others that are not; one worker, as it works."""

import asyncio
import contextlib
import json
import secrets
import time

import pytest
from aiohttp import web

from scaicms import registry
from scaicms.infra import db
from scaicms.infra.http import client as client_module
from scaicms.infra.jobs import control
from scaicms.infra.jobs.runner import Runner
from scaicms.infra.jobs.sweeper import sweep
from scaicms.infra.jobs.worker import LedgerWorker, listen
from tests.conftest import ARTICLE
from tests.features.content.test_items import create
from tests.features.webhooks.receiver import deliveries, hooked, receiving

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


async def sweeping(redis):
    while True:
        await sweep(redis)
        await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def worker(services, *, concurrency=10, is_swept=True):
    """A worker of the queue of webhooks, with the sweeper that every worker has."""
    redis = services.resources.redis
    runner = Runner(registry.tasks(), services, "turns")
    one = LedgerWorker("webhooks", runner, redis, concurrency=concurrency, drain_seconds=1)
    beside = [listen(redis, {"webhooks": one}), *([sweeping(redis)] if is_swept else [])]
    tasks = [asyncio.create_task(one.async_run()), *map(asyncio.create_task, beside)]
    try:
        yield one
    finally:
        one.stop_taking()
        await asyncio.wait(tasks[:1], timeout=5)
        left = [*tasks, *one.tasks.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def until(condition, seconds):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a receiver has no event for "so many"
            await asyncio.sleep(0.02)


async def hang(reader, writer):
    await reader.readuntil(b"}}")
    await asyncio.sleep(60)


async def never_read(reader, writer):
    await asyncio.sleep(60)


async def trickle(reader, writer):
    await reader.readuntil(b"}}")
    writer.write(HEAD)
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def trickle_headers(reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def stop_after_headers(reader, writer):
    await reader.readuntil(b"}}")
    writer.write(HEAD)
    await asyncio.sleep(60)


async def close(reader, writer):
    writer.close()


async def reset(reader, writer):
    writer.transport.abort()


async def flood(reader, writer):
    await reader.readuntil(b"}}")
    writer.write(b"HTTP/1.1 500 no\r\nContent-Length: 67108864\r\n\r\n")
    for _ in range(1024):
        writer.write(b"x" * 65536)
        await writer.drain()


async def redirect(reader, writer):
    await reader.readuntil(b"}}")
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.close()


async def continue_forever(reader, writer):
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


BAD = (
    hang, never_read, trickle, trickle_headers, stop_after_headers, close, reset, flood, redirect, continue_forever,
)  # fmt: skip


@contextlib.asynccontextmanager
async def bad_receivers():
    """One server of each kind; their addresses by name."""

    def quiet(handler):
        async def handle(reader, writer):
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await handler(reader, writer)

        return handle

    servers = {handler.__name__: await asyncio.start_server(quiet(handler), "127.0.0.1", 0) for handler in BAD}
    try:
        yield {name: f"http://127.0.0.1:{one.sockets[0].getsockname()[1]}/" for name, one in servers.items()}
    finally:
        for one in servers.values():
            one.close()


async def test_receivers_of_every_bad_kind_keep_nobody_waiting(articles, receiver, services, monkeypatch):
    monkeypatch.setattr(client_module, "SECONDS", 8.0)
    async with bad_receivers() as addresses:
        bad = [await hooked(articles, url, name=name) for name, url in addresses.items()]
        await hooked(articles, receiver.url, name="healthy")
        async with worker(services):
            for number in range(6):
                await create(articles, title=f"Number {number}")
            await until(lambda: len(receiver.got) >= 6, 6)
            started = time.monotonic()
            await asyncio.sleep(1)
            await create(articles, title="Last")
            await until(lambda: len(receiver.got) >= 7, 3)  # while they still hang

            async def first_tries():
                return [(await deliveries(articles, hook))[-1]["attempts"][-1] for hook in bad]

            while any(attempt["finished_at"] is None for attempt in await first_tries()):
                assert time.monotonic() - started < 20
                await asyncio.sleep(0.3)
            tries = dict(zip(addresses, await first_tries(), strict=True))
    for name, attempt in tries.items():
        assert (attempt["status"] is None) == (attempt["error"] is not None), (name, attempt)
        assert attempt["latency_ms"] < 10_000, name
    assert (tries["redirect"]["status"], tries["flood"]["status"]) == (302, 500)
    assert tries["flood"]["response"]["truncated"]


async def test_a_line_moves_when_a_turn_is_free_and_not_when_somebody_looks_again(articles, services):
    async def slowly(_):
        await asyncio.sleep(2)
        return web.Response()

    async with receiving() as slow:
        hook = await hooked(articles, slow.url)
        slow.answers.append(slowly)
        async with worker(services):
            await create(articles)  # so that answers are known to take long
            await until(lambda: len(slow.got) == 1, 5)
            await asyncio.sleep(2.2)
            slow.gate.clear()
            for number in range(40):
                await create(articles, title=f"Number {number}")
            await until(lambda: len(slow.got) == 5, 5)
            await asyncio.sleep(0.5)
            assert len(slow.got) == 5  # four tenths of ten
            slow.gate.set()
            await until(lambda: len({got.id for got in slow.got}) == 41, 8)
            await asyncio.sleep(0.3)
        states = {delivery["status"] for delivery in await deliveries(articles, hook, "?page_size=100")}
        assert (states, len(slow.got)) == ({"delivered"}, 41)


async def test_a_receiver_that_answers_quickly_has_all_turns(articles, services):
    most = now = 0

    async def count(_):
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.2)
        now -= 1
        return web.Response()

    async with receiving() as quick:
        quick.answers += [count] * 60
        await hooked(articles, quick.url)
        for number in range(60):
            await create(articles, title=f"Number {number}")
        async with worker(services):
            await until(lambda: len(quick.got) == 60, 20)
    assert 4 < most <= 20


async def test_a_failing_receiver_has_one_turn_and_its_line_goes_on(articles, services):
    most = now = 0

    async def fail(_):
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        return web.Response(status=500)

    async with receiving() as failing:
        failing.answers += [fail] * 20
        hook = await hooked(articles, failing.url)
        await db.execute("UPDATE webhooks SET failing_since = now() WHERE id = $1", hook["id"])
        for number in range(20):
            await create(articles, title=f"Number {number}")
        async with worker(services):
            await until(lambda: len(failing.got) >= 20, 15)
    assert most == 1


@pytest.mark.parametrize("interrupted", [False, True])
async def test_a_line_whose_wakers_died_wakes_by_itself(articles, receiver, services, interrupted):
    hook = await hooked(articles, receiver.url)
    for number in range(30):
        await create(articles, title=f"Number {number}")
    # As a worker leaves it that is killed with its turns taken and the rest asleep.
    await db.execute(
        """UPDATE jobs SET run_at = now() + (1 + random() * 60) * interval '1 second'
           WHERE name = 'webhooks.deliver' AND state = 'pending'"""
    )
    if interrupted:
        await db.execute("UPDATE webhook_deliveries SET next_at = NULL WHERE webhook_id = $1", hook["id"])
        await db.execute("UPDATE jobs SET run_at = now() + random() * interval '3 seconds' WHERE state = 'pending'")
    async with worker(services):
        await until(lambda: len(receiver.got) == 30, 30)  # the first sleeper may be late by chance
    assert len({got.id for got in receiver.got}) == 30


async def test_what_waits_in_line_can_be_cancelled_and_asked_for_again(articles, receiver, services, drain):
    hook = await hooked(articles, receiver.url)
    for number in range(3):
        await create(articles, title=f"Number {number}")
    await db.execute("UPDATE jobs SET run_at = now() + interval '1 minute' WHERE name = 'webhooks.deliver'")
    waiting = await deliveries(articles, hook)
    assert (await articles.delete(f"/search/jobs/{waiting[0]['job_id']}")).status in (200, 202, 204, 404, 405)
    assert (await articles.post(f"/webhooks/{hook['id']}/deliveries/{waiting[1]['id']}/redeliver")).status == 202
    await drain()
    assert json.loads(receiver.got[0].body)["id"] == waiting[1]["event_id"]


async def new_site(admin):
    """A site with the type `article`."""
    key = f"s{secrets.token_hex(6)}"
    assert (await admin.post("/sites", {"key": key, "name": key})).status == 201
    assert (await admin.at(key).post("/content-types", ARTICLE)).status == 201
    return admin.at(key)


@pytest.mark.parametrize("answered_before", [False, True])
async def test_ten_hanging_receivers_of_ten_sites_leave_turns_for_one_that_answers(
    admin, articles, receiver, services, answered_before
):
    async with contextlib.AsyncExitStack() as stack:
        hanging = [await stack.enter_async_context(receiving()) for _ in range(10)]
        sites = [await new_site(admin) for _ in hanging]
        for site, one in zip(sites, hanging, strict=True):
            await hooked(site, one.url)
        await hooked(articles, receiver.url)
        async with worker(services):
            if answered_before:  # so that they are known to answer quickly
                for site in sites:
                    await create(site)
                await until(lambda: all(one.got for one in hanging), 15)
                await asyncio.sleep(0.5)
            for one in hanging:
                one.gate.clear()
            before = [len(one.got) for one in hanging]
            for number in range(20):
                for site in sites:
                    await create(site, title=f"Number {number}")
            await until(lambda: all(len(one.got) > of for one, of in zip(hanging, before, strict=True)), 15)
            await asyncio.sleep(1)
            started = time.monotonic()
            for number in range(30):
                await create(articles, title=f"Number {number}")
            await until(lambda: len(receiver.got) == 30, 10)
            assert time.monotonic() - started < 10
            assert all(not one.gate.is_set() for one in hanging)


async def test_a_backlog_takes_few_transactions(articles, services):
    async def soon(_):
        await asyncio.sleep(0.05)
        return web.Response()

    commits = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    async with receiving() as quick:
        quick.answers += [soon] * 220
        hook = await hooked(articles, quick.url)
        await create(articles)
        async with worker(services):
            await until(lambda: len(quick.got) == 1, 10)
            await asyncio.sleep(0.3)
            await control.pause("webhooks")
            try:
                operations = [{"op": "create", "type": "article", "data": {"title": f"T {n}"}} for n in range(200)]
                for start in range(0, 200, 50):
                    made = await articles.post("/content/bulk", {"operations": operations[start : start + 50]})
                    assert (made.status, made.json["failed"]) == (200, 0)
                await asyncio.sleep(1.5)  # PostgreSQL counts a session's transactions when it has been idle
                before = await db.fetchval(commits)
            finally:
                await control.resume("webhooks")
            await until(lambda: len(quick.got) == 201, 30)
            await asyncio.sleep(2)
            assert await db.fetchval(commits) - before < 5 * 200
        states = [
            d["status"] for page in (1, 2, 3) for d in await deliveries(articles, hook, f"?page_size=100&page={page}")
        ]
    assert states == ["delivered"] * 201


async def test_deliveries_go_on_at_once_when_a_pause_ends(articles, receiver, services):
    await hooked(articles, receiver.url)
    async with worker(services, is_swept=False):
        await control.pause("webhooks")
        try:
            for number in range(5):
                await create(articles, title=f"Number {number}")
            await asyncio.sleep(1.5)  # the worker answers the doorbells and finds a pause
            assert receiver.got == []
        finally:
            await control.resume("webhooks")
        await until(lambda: len(receiver.got) == 5, 3)


async def test_an_answer_is_recorded_although_the_job_was_cancelled_meanwhile(articles, services):
    async with receiving() as slow:
        hook = await hooked(articles, slow.url)
        slow.gate.clear()
        async with worker(services):
            await create(articles)
            await until(lambda: len(slow.got) == 1, 5)
            (delivery,) = await deliveries(articles, hook)
            await articles.post(f"/search/jobs/{delivery['job_id']}/cancel")
            await asyncio.sleep(0.2)
            slow.gate.set()
            await asyncio.sleep(1)
        (delivery,) = await deliveries(articles, hook)
    assert (delivery["status"], delivery["attempts"][0]["status"]) == ("delivered", 200)

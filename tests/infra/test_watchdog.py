"""What stops the event loop is counted and named."""

import asyncio
import time

import structlog.testing
from aiohttp import web
from prometheus_client import REGISTRY

from scaicms.infra import watchdog
from scaicms.infra.watchdog import STALL_SECONDS, watched_loop


def counted():
    return REGISTRY.get_sample_value("scaicms_loop_stalled_seconds_count")


def compute(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def test_a_stall_is_counted_and_logged_with_its_task_and_place():
    before = counted()
    async with watched_loop():
        await asyncio.sleep(0.2)
        asyncio.current_task().set_name("GET /slow 42")
        with structlog.testing.capture_logs() as logs:
            compute(3 * STALL_SECONDS)
            await asyncio.sleep(0.2)
    # The application of other tests, if it runs in this loop, watches it too.
    entry = next(entry for entry in logs if entry["event"] == "loop.stalled")
    assert entry["seconds"] > 2 * STALL_SECONDS
    assert 0 < entry["cpu_seconds"] <= entry["seconds"] + 0.2
    assert entry["task"] == "GET /slow 42"
    assert f"{__file__}:" in entry["stack"]
    assert " compute" in entry["stack"]
    assert counted() >= before + 1


async def test_waiting_is_no_stall(monkeypatch):
    monkeypatch.setattr(watchdog, "STALL_SECONDS", 2.0)  # a busy machine stops everybody
    before = counted()
    async with watched_loop():
        await asyncio.sleep(0.5)
        await asyncio.to_thread(time.sleep, 0.5)
    assert counted() == before


async def test_a_stall_that_does_not_end_is_logged_while_it_lasts(monkeypatch):
    monkeypatch.setattr(watchdog, "LONG_SECONDS", 0.3)
    async with watched_loop():
        await asyncio.sleep(0.1)
        with structlog.testing.capture_logs() as logs:
            compute(0.8)
            seen = [entry["event"] for entry in logs]
    assert "loop.stands_still" in seen


async def test_the_web_tier_names_the_request_that_stalls(admin, client, monkeypatch):
    """Its method, route and id, by the name of the task that serves it."""
    resource = next(one for one in client.app.router.resources() if one.canonical == "/healthz")

    async def slow(_: web.Request) -> web.Response:
        compute(3 * STALL_SECONDS)
        return web.Response()

    for route in resource:
        monkeypatch.setattr(route, "_handler", slow)
    with structlog.testing.capture_logs() as logs:
        await admin.call("GET", "/api/../healthz", headers={"X-Request-ID": "the-slow-one"})
        await asyncio.sleep(0.3)
    names = [entry["task"] for entry in logs if entry["event"] == "loop.stalled"]
    assert "GET /healthz the-slow-one" in names

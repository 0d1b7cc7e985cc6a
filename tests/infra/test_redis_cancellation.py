"""A task that uses Redis can be cancelled at every moment: processes end by cancelling their loops."""

import asyncio

import pytest

from scaicms.infra import redis_breaker
from scaicms.infra.redis import open_redis

STEPS = 80
"""Steps of the event loop; a connection and a command take about half of them."""
SECONDS = 2.0


@pytest.fixture
async def silent():
    """The address of a server that accepts connections and answers nothing."""
    connections = []

    async def listen(*streams):
        connections.append(streams)

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    server.close()
    for _, writer in connections:
        writer.close()


async def steps(number):
    for _ in range(number):
        await asyncio.sleep(0)


async def is_over(task):
    done, _ = await asyncio.wait([task], timeout=SECONDS)
    task.cancel()
    return bool(done)


async def test_a_pool_closes_at_every_moment_of_a_probe(silent, monkeypatch):
    monkeypatch.setattr(redis_breaker, "FIRST_PROBE_SECONDS", 0)
    late = []
    for number in range(STEPS):
        pool = open_redis(silent, seconds=0.5).connection_pool
        pool.breaker.failed(ConnectionRefusedError())
        await steps(number)
        if not await is_over(asyncio.create_task(pool.aclose())):
            late.append(number)
    assert late == []


async def test_a_loop_of_commands_ends_at_every_moment(settings):
    async def go_on():
        while True:
            await redis.ping()

    late = []
    for number in range(STEPS):
        redis = open_redis(settings.redis_url)
        task = asyncio.create_task(go_on())
        await steps(number)
        task.cancel()
        if not await is_over(task):
            late.append(number)
        await redis.aclose(close_connection_pool=True)
    assert late == []

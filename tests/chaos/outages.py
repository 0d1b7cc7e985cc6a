"""Ways in which a server can be out, each as a context: away, frozen, half-open, slow, full."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import psutil

from scaicms.embedded.engine import Engine
from tests.chaos.disk import SmallDisk
from tests.chaos.engines import Engines
from tests.chaos.object_store import ObjectStore
from tests.chaos.proxy import Proxy

SLOW_SECONDS = 0.05

Outage = Callable[[], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def away(door: Proxy) -> AsyncIterator[None]:
    await door.refuse()
    try:
        yield
    finally:
        await door.accept()


@asynccontextmanager
async def half_open(door: Proxy) -> AsyncIterator[None]:
    """What was open stays dead afterwards: nobody closes it."""
    door.go_silent()
    try:
        yield
    finally:
        door.speak_again()


@asynccontextmanager
async def slow(door: Proxy) -> AsyncIterator[None]:
    door.delay = SLOW_SECONDS
    try:
        yield
    finally:
        door.delay = 0.0


@asynccontextmanager
async def frozen(engine: Engine) -> AsyncIterator[None]:
    """All processes of the server: those of PostgreSQL's sessions go on without the one that started them."""
    parent = psutil.Process(engine.process.pid)
    stopped = [parent, *parent.children(recursive=True)]
    for process in stopped:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in stopped:
            if process.is_running():
                os.kill(process.pid, signal.SIGCONT)


@asynccontextmanager
async def mute(door: Proxy) -> AsyncIterator[None]:
    """Behind the door is a server that accepts connections and says nothing."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    before, door.target = door.target, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield
    finally:
        door.target = before
        server.close()


@asynccontextmanager
async def frozen_store(store: ObjectStore) -> AsyncIterator[None]:
    store.answers.clear()
    try:
        yield
    finally:
        store.answers.set()


@asynccontextmanager
async def full_disk(disk: SmallDisk) -> AsyncIterator[None]:
    disk.fill()
    try:
        yield
    finally:
        disk.clear()


@asynccontextmanager
async def full_memory(engines: Engines) -> AsyncIterator[None]:
    async with engines.cache() as cache:
        await cache.config_set("maxmemory", 1)
        try:
            yield
        finally:
            await cache.config_set("maxmemory", 0)

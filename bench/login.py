"""Logins: bounded by argon2 alone, beside delivery, and as long for unknown addresses as for known ones.

    .venv/bin/python -m bench.login [--seconds 10] [--tries 200]

Starts its own engines and a server of one process. Logins come from a process of their own; delivery is read at a fixed
rate, well below what the server can do, in alternating rounds: alone, beside processes that only spin (as many as check
passwords, as nice as they are), and beside logins. The middle one is what any work on those cores costs this machine;
what the last adds to that is what reads wait for because the same process handles logins. Look at the ratios.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import uvloop

from bench.delivery import bench_settings, fill, start
from scaicms import registry
from scaicms.connect import create_services
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
from scaicms.features.users.schemas import CreateUser
from scaicms.features.users.service import UserService
from scaicms.infra.db.migrations import migrate
from scaicms.kit import passwords
from scaicms.kit.password_process import NICENESS
from scaicms.kit.principal import SYSTEM
from scaicms.settings import Settings

PORT = 8473
LOGIN = f"http://127.0.0.1:{PORT}/api/v1/auth/login"
PASSWORD = "correct horse battery staple"
USERS = 20
READS_PER_SECOND = 100
LOGINS_AT_ONCE = 8
ROUNDS = 6


async def make_users(settings: Settings) -> None:
    async with create_services(settings, kind="worker") as services:
        for n in range(USERS):
            new = CreateUser(email=f"u{n}@example.com", name=f"User {n}", password=PASSWORD)
            await services.get(UserService).create(SYSTEM, new)


def addresses(first: int) -> "itertools.chain[str]":
    """Another caller each time, so that limits, which are tried elsewhere, do not count."""
    return itertools.chain.from_iterable(
        (f"10.{first}.{a}.{b}" for a in range(256) for b in range(256)) for _ in itertools.count()
    )


async def argon2_alone(seconds: float) -> float:
    """Checks a second, with as many processes as the server has."""
    stored = await passwords.hash_password(PASSWORD)
    done, deadline = 0, time.perf_counter() + seconds

    async def check() -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            await passwords.verify_password(stored, PASSWORD)
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(check() for _ in range(LOGINS_AT_ONCE)))
    return done / (time.perf_counter() - started)


async def attack(seconds: float, first: int) -> None:
    """Log in as fast as the server lets us; prints logins a second."""
    done, deadline = 0, time.perf_counter() + seconds
    callers, turn = addresses(first), itertools.count()

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            body = {"email": f"u{next(turn) % USERS}@example.com", "password": PASSWORD}
            async with session.post(LOGIN, json=body, headers={"X-Forwarded-For": next(callers)}) as response:
                assert response.status == 200, await response.text()
                await response.read()
            done += 1

    async with aiohttp.ClientSession() as session:
        started = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(LOGINS_AT_ONCE)))
    print(done / (time.perf_counter() - started))


async def attack_apart(seconds: float, first: int) -> float:
    """`attack` in a process of its own; how many a second."""
    told = json.dumps([seconds, first])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.login", "--attack", told, stdout=subprocess.PIPE
    )
    return float((await process.communicate())[0])


async def read_steadily(urls: list[str], seconds: float) -> list[float]:
    """Latencies in milliseconds, each counted from when it was due, at a rate that does not wait for answers."""
    latencies: list[float] = []

    async def one(session: aiohttp.ClientSession, url: str, due: float) -> None:
        async with session.get(url, headers={"X-Site-ID": "bench"}) as response:
            assert response.status == 200
            await response.read()
        latencies.append((time.perf_counter() - due) * 1000)

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        begun = time.perf_counter()
        for n in range(int(seconds * READS_PER_SECOND)):
            due = begun + n / READS_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(session, urls[n % len(urls)], due))
    return latencies


@contextmanager
def spinning() -> Iterator[None]:
    """As many busy processes as check passwords, with nothing to do with the server."""
    command = [sys.executable, "-c", f"import os; os.nice({NICENESS})\nwhile True: pass"]
    processes = [subprocess.Popen(command) for _ in range(passwords.PROCESSES)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def beside_delivery(urls: list[str], seconds: float) -> None:
    """Delivery alone, beside busy cores, and beside logins, in turns."""
    latencies: dict[str, list[float]] = {"alone": [], "beside busy cores": [], "beside logins": []}
    rates = []
    for n in range(ROUNDS):
        latencies["alone"] += await read_steadily(urls, seconds / ROUNDS)
        with spinning():
            latencies["beside busy cores"] += await read_steadily(urls, seconds / ROUNDS)
        running = asyncio.create_task(attack_apart(seconds / ROUNDS + 2, n))
        await asyncio.sleep(2)  # until it has started
        latencies["beside logins"] += await read_steadily(urls, seconds / ROUNDS - 1)
        rates.append(await running)
    tails = {}
    for name, measured in latencies.items():
        cuts = statistics.quantiles(measured, n=100)
        tails[name] = cuts[98]
        print(f"delivery {name:24} p50 {cuts[49]:6.2f} ms   p99 {cuts[98]:6.2f} ms   ({len(measured)} reads)")
    alone, busy, logins = tails.values()
    print(f"p99 beside logins: {logins / busy:.2f} x beside busy cores, {logins / alone:.2f} x alone")
    print(f"logins beside delivery: {statistics.median(rates):.1f}/s")


async def known_and_unknown(tries: int) -> None:
    callers = addresses(200)

    async def seconds(session: aiohttp.ClientSession, email: str) -> float:
        body = {"email": email, "password": "certainly not the password"}
        started = time.perf_counter()
        async with session.post(LOGIN, json=body, headers={"X-Forwarded-For": next(callers)}) as response:
            assert response.status == 401
            await response.read()
        return time.perf_counter() - started

    async with aiohttp.ClientSession() as session:
        pairs = [
            (await seconds(session, f"u{n % USERS}@example.com"), await seconds(session, f"nobody{n}@example.com"))
            for n in range(tries)
        ]
    known, unknown = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    print(f"known {known:.2f} ms, unknown {unknown:.2f} ms, apart {abs(known - unknown):.2f} ms ({tries} tries each)")


async def measure(settings: Settings, seconds: float, tries: int) -> None:
    await migrate(settings.database_url, registry.model_modules())
    site_id, type_id, ids = await fill(settings, 1000)
    await make_users(settings)
    server = start("warm", settings, site_id, type_id, PORT)
    try:
        urls = [f"http://127.0.0.1:{PORT}/api/v1/content/{i}" for i in ids]
        await read_steadily(urls, 1)
        bound = await argon2_alone(seconds / 2)
        rate = await attack_apart(seconds / 2, 100)
        print(f"argon2 alone {bound:.1f}/s, {passwords.PROCESSES} at once, logins {rate:.1f}/s: {rate / bound:.2f}")
        await beside_delivery(urls, seconds)
        await known_and_unknown(tries)
    finally:
        server.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of delivery with and without logins, each")
    parser.add_argument("--tries", type=int, default=200)
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.attack:
        os.nice(19)  # it would run on other machines: it is not to take a core from server or readers
        uvloop.run(attack(*json.loads(given.attack)))
        return
    os.environ["SCAICMS_TRUSTED_PROXIES"] = '["127.0.0.0/8"]'  # the server's: callers are who they say they are
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        with EmbeddedPostgres(home) as postgres, EmbeddedValkey(home) as valkey:
            uvloop.run(measure(bench_settings(postgres.url, valkey.url, home), given.seconds, given.tries))


if __name__ == "__main__":
    main()

"""Delivery with what was delivered kept and without, against a bare aiohttp handler that makes the same lookup.

    .venv/bin/python -m bench.delivery [--items 10000] [--seconds 4]

Starts its own engines in a temporary folder, fills a site with published items of 2 KB, and measures in alternating
rounds with one client process over keep-alive connections: `without` keeps nothing, `cold` looks for each answer and
has none (nothing fits in), `warm` has all of them. Only the ratios mean something.
"""

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import aiohttp
import uvloop
from aiohttp import web

from scaicms import registry
from scaicms.app import create_app
from scaicms.connect import create_services
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
from scaicms.features.content.schemas import CreateItem
from scaicms.features.content.service import ContentService
from scaicms.features.content_types.schemas import CreateContentType
from scaicms.features.content_types.service import ContentTypeService
from scaicms.features.roles.schemas import Grant
from scaicms.features.roles.service import RoleService
from scaicms.features.sites.schemas import CreateSite
from scaicms.features.sites.service import SiteService
from scaicms.infra import db
from scaicms.infra.db.migrations import migrate
from scaicms.infra.logs import configure_logs
from scaicms.kit.principal import SYSTEM
from scaicms.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.Response]]
CONNECTIONS = 8
ROUNDS = 5
FIELDS = [
    {"key": "title", "type": "string", "required": True},
    {"key": "body", "type": "markdown"},
    {"key": "number", "type": "integer"},
    {"key": "kind", "type": "select", "options": ["a", "b", "c", "d"]},
]
LIST_SQL = """SELECT d.body, (SELECT count(*) FROM documents d WHERE {where}) AS total FROM documents d WHERE {where}
              ORDER BY {order} LIMIT 50 OFFSET {offset}"""
PAGES = 20
KEPT = {"without": 0, "cold": 1, "warm": 8 * 1024 * 1024}
"""Bytes."""
BARE = "bare"


async def fill(settings: Settings, items: int) -> tuple[UUID, UUID, list[UUID]]:
    """A site with published items; its id, its type's and some items'."""
    async with create_services(settings, kind="worker") as services:
        await services.get(RoleService).ensure_built_in(SYSTEM)
        await services.get(RoleService).set_grants(SYSTEM, "public", [Grant(permission="content:read")], add=False)
        row = await services.get(SiteService).create(SYSTEM, CreateSite(key="bench", name="Bench"))
        site = await services.get(SiteService).by_id(row.id)
        new = CreateContentType.model_validate({"key": "post", "name": "Post", "fields": FIELDS})
        kind = await services.get(ContentTypeService).create(SYSTEM, site, new)
        content, ids = services.get(ContentService), []
        for start in range(0, items, 200):
            async with db.transaction():
                for n in range(start, min(start + 200, items)):
                    data = {"title": f"Item {n}", "body": f"{n} " + "words " * 320, "number": n, "kind": "abcd"[n % 4]}
                    item = CreateItem(type="post", slug=f"item-{n}", data=data, publish=True)
                    ids.append((await content.create(SYSTEM, site, item)).item.id)
        await db.execute("ANALYZE")
        return row.id, kind.id, ids[:: max(1, items // 500)]


async def bare_app(settings: Settings, site_id: UUID, type_id: UUID) -> web.Application:
    """The same statements over the same kind of pool, and nothing else."""
    app = web.Application()
    pool = await db.open_read_pool(settings.database_url, size=10, statement_timeout=5)

    async def by_id(request: web.Request) -> web.Response:
        row = await pool.fetchrow(
            "SELECT body, etag FROM documents WHERE item_id = $1 AND locale = $2 AND site_id = $3",
            UUID(request.match_info["id"]),
            "en",
            site_id,
        )
        assert row is not None
        return web.Response(body=row[0], content_type="application/json")

    def listing(where: str, order: str, *arguments: object) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            sql = LIST_SQL.format(where=where, order=order, offset=50 * (int(request.query["page"]) - 1))
            rows = await pool.fetch(sql, site_id, type_id, "en", *arguments)
            body = b'{"items":[' + b",".join(row["body"] for row in rows) + b'],"total":%d}' % rows[0]["total"]
            return web.Response(body=body, content_type="application/json")

        return handle

    base = "d.site_id = $1 AND d.type_id = $2 AND d.locale = $3"
    newest = "d.published_at DESC, d.item_id DESC"
    app.router.add_get("/items/{id}", by_id)
    app.router.add_get("/list", listing(base, newest))
    app.router.add_get("/filtered", listing(base + " AND d.data @> $4::jsonb", newest, '{"kind":"b"}'))
    return app


@asynccontextmanager
async def served(app: web.Application, port: int) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield
    await runner.cleanup()


async def load(urls: list[str], seconds: float) -> float:
    """Requests a second over keep-alive connections."""
    done, deadline = 0, time.perf_counter() + seconds

    async def client(session: aiohttp.ClientSession, offset: int) -> None:
        nonlocal done
        turn = offset
        while time.perf_counter() < deadline:
            async with session.get(urls[turn % len(urls)], headers={"X-Site-ID": "bench"}) as response:
                assert response.status == 200, await response.text()
                await response.read()
            turn, done = turn + 7, done + 1

    async with aiohttp.ClientSession() as session:
        started = time.perf_counter()
        await asyncio.gather(*(client(session, n * 31) for n in range(CONNECTIONS)))
        return done / (time.perf_counter() - started)


async def serve(which: str, settings: Settings, site_id: UUID, type_id: UUID, port: int) -> None:
    """One server in a process of its own, until told to end."""
    configure_logs(settings)
    if which == BARE:
        app = await bare_app(settings, site_id, type_id)
    else:
        app = create_app(settings.model_copy(update={"delivery_cache_bytes": KEPT[which]}))
    async with served(app, port):
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def start(which: str, settings: Settings, site_id: UUID, type_id: UUID, port: int) -> subprocess.Popen[bytes]:
    told = json.dumps(
        [which, settings.database_url, settings.redis_url, str(settings.home), str(site_id), str(type_id), port]
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.delivery", "--serve", told],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline(), f"{which} does not start"
    return process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def measure(settings: Settings, items: int, seconds: float) -> None:
    await migrate(settings.database_url, registry.model_modules())
    site_id, type_id, ids = await fill(settings, items)
    ports = {which: free_port() for which in (*KEPT, BARE)}
    processes = [start(which, settings, site_id, type_id, port) for which, port in ports.items()]
    pages = range(1, min(PAGES, items // 200) + 1)
    cases = {
        "by id": ([f"/{i}" for i in ids], [f"/items/{i}" for i in ids]),
        "list of 50 with total": ([f"?type=post&page={n}" for n in pages], [f"/list?page={n}" for n in pages]),
        "filtered list": (
            [f"?type=post&filter[data.kind]=b&page={n}" for n in pages],
            [f"/filtered?page={n}" for n in pages],
        ),
    }
    print(
        f"{items} items, one process, {CONNECTIONS} connections, medians of {ROUNDS} rounds; times are those of {BARE}"
    )
    try:
        for name, (ours, bare) in cases.items():
            paths = {which: [f"/api/v1/content{path}" for path in ours] for which in KEPT} | {BARE: bare}
            urls = {which: [f"http://127.0.0.1:{ports[which]}{path}" for path in paths[which]] for which in ports}
            await compare(name, urls, seconds)
    finally:
        for process in processes:
            process.communicate()


async def compare(name: str, urls: dict[str, list[str]], seconds: float) -> None:
    """One case on all servers, in turns."""
    await load(urls["warm"], seconds / ROUNDS)
    rounds = [{which: await load(urls[which], seconds / ROUNDS) for which in (BARE, *KEPT)} for _ in range(ROUNDS)]
    for which in (BARE, *KEPT):
        rate = statistics.median(found[which] for found in rounds)
        time_taken = statistics.median(found[BARE] / found[which] for found in rounds)
        print(f"{name:24} {which:8} {rate:7.0f}/s  {time_taken:.2f}x the time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each server and case")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        which, database_url, redis_url, home, site_id, type_id, port = json.loads(given.serve)
        settings = bench_settings(database_url, redis_url, Path(home))
        uvloop.run(serve(which, settings, UUID(site_id), UUID(type_id), port))
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        with EmbeddedPostgres(home) as postgres, EmbeddedValkey(home) as valkey:
            uvloop.run(measure(bench_settings(postgres.url, valkey.url, home), given.items, given.seconds))


def bench_settings(database_url: str, redis_url: str, home: Path) -> Settings:
    return Settings(env="test", home=home, database_url=database_url, redis_url=redis_url, secret="for the benchmark")


if __name__ == "__main__":
    main()

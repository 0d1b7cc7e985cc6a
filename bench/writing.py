"""Writing items over HTTP beside a bare asyncpg loop that writes the same rows, side by side in one run.

    .venv/bin/python -m bench.writing [--writes 400] [--rounds 3]

Starts its own engines in a temporary folder, with full durability, and one web process; the client is another. Prints
the time of a write, writes a second, what the same rows cost without anything of ours, and the statements of a write.
Only the ratios mean something elsewhere. No worker runs: what they do afterwards is theirs.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import uvloop

from bench.delivery import FIELDS, bench_settings, served
from scaicms import registry
from scaicms.app import create_app
from scaicms.connect import create_services
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey
from scaicms.features.api_keys.schemas import CreateApiKey
from scaicms.features.api_keys.service import ApiKeyService
from scaicms.features.auth.service import Authenticator, AuthService
from scaicms.features.content_types.schemas import CreateContentType
from scaicms.features.content_types.service import ContentTypeService
from scaicms.features.roles.schemas import Assignment
from scaicms.features.roles.service import RoleService
from scaicms.features.sites.schemas import CreateSite
from scaicms.features.sites.service import SiteService
from scaicms.features.users.schemas import CreateUser
from scaicms.features.users.service import UserService
from scaicms.infra.db.migrations import migrate
from scaicms.infra.db.sessions import StatelessSession
from scaicms.infra.logs import configure_logs
from scaicms.kit.principal import SYSTEM
from scaicms.settings import Settings

Write = Callable[[UUID, int], Awaitable[None]]
CLIENTS = (1, 16)
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
KEYS = ("content:create", "content:update", "content:publish", "content:read", "content:read_drafts")
GRANTED = {"name": "bench", "permissions": list(KEYS), "rate_limit": 1_000_000}
PORTS = (8473, 8474)
PERCENTILE = 0.95
INSERT_ITEM = """
WITH item AS (INSERT INTO items (id, site_id, type_id, slug, created_at) VALUES ($1, $2, $3, $4, now()))
INSERT INTO entries (id, item_id, locale, data, version, updated_at) VALUES ($5, $1, 'en', $6::jsonb, 1, now())"""
UPDATE_ENTRY = "UPDATE entries SET data = $2::jsonb, version = version + 1, updated_at = now() WHERE item_id = $1"
PUT_DOCUMENT = """
WITH entry AS (UPDATE entries SET published_version = version WHERE item_id = $1)
INSERT INTO documents (item_id, locale, site_id, type_id, slug, version, etag, body, data, created_at, updated_at,
                       published_at)
VALUES ($1, 'en', $2, $3, $4, $5, 'e', $6, $7::jsonb, now(), now(), now())
ON CONFLICT (item_id, locale) DO UPDATE SET version = $5, body = $6, data = $7::jsonb, updated_at = now()"""
INSERT_EVENT = """
INSERT INTO events (id, site_id, type, version, aggregate_id, payload, actor_kind, occurred_at)
VALUES ($1, $2, 'content.bench', 1, $3, '{"content_type": "post", "slug": "a", "locale": "en"}', 'system', now())"""
INSERT_JOB = """
INSERT INTO jobs (id, queue, name, version, payload, site_id, dedupe_key, priority, max_attempts, run_at, created_at)
VALUES ($1, 'search', 'bench', 1, '{}', $2, $3, 0, 5, now(), now())
ON CONFLICT (queue, dedupe_key) WHERE dedupe_key IS NOT NULL AND state = 'pending'
DO UPDATE SET run_at = least(jobs.run_at, excluded.run_at)"""


def data_of(number: int) -> dict[str, Any]:
    return {
        "title": f"Item {number}",
        "body": f"{number} " + "words " * 320,
        "number": number,
        "kind": "abcd"[number % 4],
    }


class Http:
    """An editor."""

    def __init__(self, session: aiohttp.ClientSession, base: str, headers: dict[str, str]) -> None:
        self._session, self._base, self._headers = session, base, headers

    async def send(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        url = f"{self._base}/api/v1/content{path}"
        async with self._session.request(method, url, json=body, headers=self._headers) as response:
            answer: dict[str, Any] = json.loads(await response.read())
            assert response.status in (200, 201), answer
            return answer

    async def create(self, _: UUID, number: int) -> None:
        await self.send("POST", "", {"type": "post", "slug": f"c-{uuid4().hex}", "data": data_of(number)})

    async def save(self, item: UUID, number: int) -> None:
        await self.send("PATCH", f"/{item}", {"data": data_of(number)})

    async def publish(self, item: UUID, _: int) -> None:
        await self.send("POST", f"/{item}/publish")

    async def save_and_publish(self, item: UUID, number: int) -> None:
        await self.save(item, number)
        await self.publish(item, number)

    async def drafts(self, number: int) -> list[UUID]:
        """New items, not published."""
        found = []
        for _ in range(0, number, 100):
            new = [{"op": "create", "type": "post", "slug": f"d-{uuid4().hex}", "data": data_of(n)} for n in range(100)]
            answer = await self.send("POST", "/bulk", {"operations": new, "atomic": True})
            found += [UUID(result["item"]["id"]) for result in answer["results"]]
        return found

    async def bulk(self, items: Sequence[UUID], number: int) -> None:
        operations = [{"op": "update", "id": str(item), "data": data_of(number)} for item in items]
        answer = await self.send("POST", "/bulk", {"operations": operations, "atomic": True})
        assert answer["failed"] == 0, answer


class Bare:
    """The same rows, each write in a transaction of its own, over a pool with a connection for each client."""

    def __init__(self, pool: "asyncpg.Pool[Any]", site_id: UUID, type_id: UUID) -> None:
        self._pool, self._site_id, self._type_id = pool, site_id, type_id

    async def create(self, _: UUID, number: int) -> None:
        item = uuid4()
        async with self._pool.acquire() as connection, connection.transaction():
            about = (item, self._site_id, self._type_id, f"b-{item.hex}", uuid4(), json.dumps(data_of(number)))
            await connection.execute(INSERT_ITEM, *about)
            await connection.execute(INSERT_EVENT, uuid4(), self._site_id, item)

    async def save(self, item: UUID, number: int) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(UPDATE_ENTRY, item, json.dumps(data_of(number)))
            await connection.execute(INSERT_EVENT, uuid4(), self._site_id, item)

    async def publish(self, item: UUID, number: int) -> None:
        data = json.dumps(data_of(number))
        async with self._pool.acquire() as connection, connection.transaction():
            about = (self._site_id, self._type_id, f"b-{item.hex}", number + 1, data.encode(), data)
            await connection.execute(PUT_DOCUMENT, item, *about)
            await connection.execute(INSERT_EVENT, uuid4(), self._site_id, item)
            await connection.execute(INSERT_JOB, uuid4(), self._site_id, f"content:{item}")

    async def save_and_publish(self, item: UUID, number: int) -> None:
        await self.save(item, number)
        await self.publish(item, number)


async def load(write: Write, items: Sequence[UUID], clients: int) -> tuple[list[float], float]:
    """Milliseconds of each write, and writes a second, one write an item."""
    took: list[float] = []

    async def client(own: Sequence[tuple[int, UUID]]) -> None:
        for number, item in own:
            started = time.perf_counter()
            await write(item, number)
            took.append((time.perf_counter() - started) * 1000)

    numbered = list(enumerate(items))
    started = time.perf_counter()
    await asyncio.gather(*(client(numbered[first::clients]) for first in range(clients)))
    return took, len(items) / (time.perf_counter() - started)


async def compare(http: Http, bare: Bare, writes: int, rounds: int, clients: int) -> None:
    """Each kind of write in alternating rounds. Both publish drafts that were never published."""
    print(f"{clients} client{'s' if clients > 1 else ''}, medians of {rounds} rounds of {writes}")
    for name in ("create", "save", "publish", "save_and_publish"):
        times, rates, yardstick = [], [], []
        for _ in range(rounds):
            drafts = await http.drafts(2 * writes)
            yardstick.append((await load(getattr(bare, name), drafts[:writes], clients))[1])
            took, rate = await load(getattr(http, name), drafts[writes : 2 * writes], clients)
            times += took
            rates.append(rate)
        ordered, each = sorted(times), 2 if name == "save_and_publish" else 1
        ratio = statistics.median(base / rate for base, rate in zip(yardstick, rates, strict=True))
        print(
            f"  {name:17} p50 {statistics.median(times):6.1f} ms  p95 {ordered[int(len(times) * PERCENTILE)]:6.1f} ms  "
            f"{each * statistics.median(rates):6.0f} writes/s  bare {each * statistics.median(yardstick):6.0f}/s  "
            f"{ratio:5.2f}x the time"
        )


async def bulks(http: Http, rounds: int) -> None:
    items = await http.drafts(100)
    took = []
    for number in range(5 * rounds):
        started = time.perf_counter()
        await http.bulk(items, number)
        took.append(time.perf_counter() - started)
    middle = statistics.median(took)
    print(f"bulk of 100 saves, atomic: {middle * 1000:.0f} ms, {100 / middle:.0f} writes/s")


async def count(http: Http, log: Path) -> None:
    """The statements of a write, of which the first ones are not counted: they fill what the process remembers."""
    items = await http.drafts(100)
    print("statements of a write, BEGIN and COMMIT among them")
    for name in ("create", "save", "publish", "save_and_publish"):
        write = getattr(http, name)
        await load(write, items[:5], 1)
        before = statements(log)
        await load(write, items[5:15], 1)
        print(f"  {name:17} {(statements(log) - before) / 10:4.1f}")


def statements(log: Path) -> int:
    return len(log.read_bytes().splitlines())


async def fill(settings: Settings) -> tuple[UUID, UUID, str]:
    """A site with a content type, and an API key that may write there."""
    async with create_services(settings, kind="web") as services:
        roles = services.get(RoleService)
        await roles.ensure_built_in(SYSTEM)
        row = await services.get(SiteService).create(SYSTEM, CreateSite(key="bench", name="Bench"))
        site = await services.get(SiteService).by_id(row.id)
        new = CreateContentType.model_validate({"key": "post", "name": "Post", "fields": FIELDS})
        kind = await services.get(ContentTypeService).create(SYSTEM, site, new)
        user = await services.get(UserService).create(SYSTEM, CreateUser(email=EMAIL, name="Ada", password=PASSWORD))
        await roles.assign(SYSTEM, user.id, [Assignment(role="administrator")])
        entered = await services.get(AuthService).login(EMAIL, PASSWORD, ip="192.0.2.1", user_agent="bench")
        bearer = f"Bearer {entered.access_token}"
        principal = await services.get(Authenticator).authenticate(bearer, site, "192.0.2.1")
        _, key = await services.get(ApiKeyService).create(principal, CreateApiKey.model_validate(GRANTED))
        return row.id, kind.id, key


async def serve(settings: Settings, port: int, log: str | None) -> None:
    """The web tier in a process of its own, until told to end; with `log` it writes down each statement."""
    configure_logs(settings)
    if log is not None:
        _write_down(Path(log))
    async with served(create_app(settings), port):
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _write_down(log: Path) -> None:
    made = StatelessSession.__init__

    def begin(session: Any, *given: Any, **named: Any) -> None:
        made(session, *given, **named)
        session.add_query_logger(lambda said: out.write(f"{' '.join(said.query.split())}\n"))

    out = log.open("w", buffering=1)
    StatelessSession.__init__ = begin  # type: ignore[method-assign,assignment]  # the one way to see every connection of the pools


def start(told: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.writing", "--serve", told],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


@asynccontextmanager
async def running(settings: Settings, port: int, key: str, log: Path | None = None) -> AsyncIterator[Http]:
    """A web process, and an editor who speaks to it."""
    told = json.dumps([settings.database_url, settings.redis_url, str(settings.home), port, str(log) if log else None])
    process = start(told)
    try:
        async with aiohttp.ClientSession() as session:
            yield Http(session, f"http://127.0.0.1:{port}", {"X-Site-ID": "bench", "Authorization": f"Bearer {key}"})
    finally:
        process.communicate()


async def measure(settings: Settings, writes: int, rounds: int) -> None:
    await migrate(settings.database_url, registry.model_modules())
    site_id, type_id, key = await fill(settings)
    log = settings.home / "statements"
    async with running(settings, PORTS[1], key, log) as http:
        await count(http, log)
    async with (
        running(settings, PORTS[0], key) as http,
        asyncpg.create_pool(settings.database_url, min_size=max(CLIENTS), max_size=max(CLIENTS)) as pool,
    ):
        bare = Bare(pool, site_id, type_id)
        await load(http.save_and_publish, await http.drafts(100), 16)
        for clients in CLIENTS:
            await compare(http, bare, writes, rounds, clients)
        await bulks(http, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=400, help="of each kind in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        database_url, redis_url, home, port, log = json.loads(given.serve)
        uvloop.run(serve(bench_settings(database_url, redis_url, Path(home)), port, log))
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        with EmbeddedPostgres(home) as postgres, EmbeddedValkey(home) as valkey:
            uvloop.run(measure(bench_settings(postgres.url, valkey.url, home), given.writes, given.rounds))


if __name__ == "__main__":
    main()

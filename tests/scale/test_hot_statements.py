"""What runs for each request and each job finds its rows by an index, on every supported PostgreSQL: both when it is
planned for its arguments, and when it is planned for any, as PostgreSQL does after a few times."""

import json
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

import asyncpg
import pytest
from asyncpg.prepared_stmt import PreparedStatement

from scaicms import registry
from scaicms.infra.db.dsn import parse_dsn
from scaicms.infra.db.sessions import StatelessSession
from scaicms.infra.jobs import QUEUES
from scaicms.infra.jobs.runner import Runner
from scaicms.infra.jobs.sweeper import sweep
from scaicms.web.ports import SERVICES
from tests.conftest import PASSWORD, Api
from tests.scale.test_callers import addresses

pytestmark = [pytest.mark.scale, pytest.mark.timeout(1800)]

LARGE = 5_000
"""Rows from which on reading a whole table is a fault."""
MAX_READ = 35_000
"""Rows that one part of the statement of a list may read."""
READS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan")


class Recorder:
    """The statements that sessions of this process have run, each with its last arguments."""

    def __init__(self):
        self.seen = {}

    def note(self, sql, arguments, *, is_planned):
        word = sql.split(None, 1)[0].upper() if sql.split() else ""
        if word in ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE"):
            self.seen[sql] = (arguments, is_planned)

    @contextmanager
    def recording(self, monkeypatch):
        recorder = self
        with monkeypatch.context() as patch:
            for name in ("fetch", "fetchrow", "fetchval", "execute"):
                original = getattr(asyncpg.Connection, name)

                async def run(session, sql, *arguments, _original=original, **more):
                    recorder.note(sql, arguments, is_planned=False)
                    return await _original(session, sql, *arguments, **more)

                patch.setattr(StatelessSession, name, run)
            fetch = PreparedStatement.fetch

            async def fetch_prepared(statement, *arguments, **more):
                recorder.note(statement.get_query(), arguments, is_planned=True)
                return await fetch(statement, *arguments, **more)

            patch.setattr(PreparedStatement, "fetch", fetch_prepared)
            yield


def text(value):
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


def literal(value):
    match value:
        case None:
            return "NULL"
        case bool() | int() | float():
            return f"'{value}'"
        case bytes():
            return f"'\\x{value.hex()}'"
        case list() | tuple() | set() | frozenset():
            inner = ",".join("NULL" if one is None else json.dumps(text(one), ensure_ascii=False) for one in value)
            return "'{" + inner.replace("'", "''") + "}'"
        case datetime() | UUID():
            return f"'{value}'"
    return "'" + str(value).replace("'", "''") + "'"


async def plans(connection, sql, arguments, *, is_planned):
    """The plan for these arguments and, unless it is never used, the one for any."""
    yield json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments))[0]["Plan"]
    if is_planned or not arguments:
        return
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE hot AS {sql}")
    given = ", ".join(map(literal, arguments))
    yield json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE hot({given})"))[0]["Plan"]
    await connection.execute("DEALLOCATE hot")
    await connection.execute("RESET plan_cache_mode")


def scanned(plan):
    """The tables that a plan reads as a whole."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for child in plan.get("Plans", ()):
        yield from scanned(child)


def read(plan):
    """The most rows that a part of an analysed plan has read of a table, shown or not."""
    rows = 0
    if plan["Node Type"] in READS:
        passed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        rows = (plan["Actual Rows"] + passed) * plan["Actual Loops"]
    return max([rows, *map(read, plan.get("Plans", ()))])


async def greedy_reads(dsn, recorder):
    """Statements of which a part reads more rows than it may, with how many."""
    connection, found = await asyncpg.connect(**parse_dsn(dsn)), {}
    try:
        for sql, (arguments, _) in recorder.seen.items():
            if sql.lstrip().startswith(("SELECT", "WITH")) and " FOR " not in sql:
                explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments)
                rows = read(json.loads(explained)[0]["Plan"])
                if rows > MAX_READ:
                    found[sql] = rows
    finally:
        await connection.close()
    return found


async def whole_scans(dsn, recorder):
    """Statements that read a large table as a whole, with that table."""
    connection = await asyncpg.connect(**parse_dsn(dsn))
    found = {}
    try:
        for setting in ("jit = off", "max_parallel_workers_per_gather = 0"):
            await connection.execute(f"SET {setting}")
        sizes = dict(await connection.fetch("SELECT relname::text, reltuples FROM pg_class WHERE relkind = 'r'"))
        for sql, (arguments, is_planned) in recorder.seen.items():
            async for plan in plans(connection, sql, arguments, is_planned=is_planned):
                large = {table for table in scanned(plan) if sizes.get(table, 0) >= LARGE}
                if large:
                    found[sql] = large
    finally:
        await connection.close()
    return found


async def deliver(large, named):
    """Everything that readers do."""
    reader, author = large.anonymous, named["author"]
    for path in (
        f"/content/{author}",
        "/content/by-slug/article/item-7?include=author",
        "/content?type=article",
        "/content?type=article&page=3",
        "/content?type=article&cursor=",
        "/content?type=article&filter[data.stock]=7&include=author",
        "/content?type=article&sort=data.title",
        "/content?type=article&filter[terms.topics]=term-1",
        "/search?q=seldom",
        "/taxonomies/topics/terms",
        "/content-types/article/schema",
    ):
        answer = await reader.get(path)
        assert answer.status == 200, (path, answer.raw)


async def enter(large, admin):
    """Log in, and be known by a session and by a key."""
    profile = (await admin.get("/auth/profile")).json
    entered = await Api(admin.client).post("/auth/login", {"email": profile["email"], "password": PASSWORD})
    assert entered.status == 200, entered.raw
    person = Api(admin.client, entered.json["access_token"], "large")
    assert (await person.get("/auth/sessions")).status == 200
    await Api(admin.client).post("/auth/refresh", {"refresh_token": entered.json["refresh_token"]})
    made = await person.post("/api-keys", {"name": "Hot", "permissions": ["content:read"]})
    assert made.status == 201, made.raw
    assert (await Api(admin.client, made.json["key"], "large").get("/content?type=article")).status == 200


async def write(large):
    """Save, publish and unpublish an item; its jobs and deliveries."""
    data = {"title": "Hot", "kind": "kind1"}
    made = await large.api.post("/content", {"type": "article", "data": data, "publish": True})
    assert made.status == 201, made.raw
    path = f"/content/{made.json['id']}"
    assert (await large.api.patch(path, {"data": {"title": "Hotter"}})).status == 200
    for action in ("publish", "unpublish"):
        assert (await large.api.post(f"{path}/{action}")).status == 200
    assert (await large.api.get("/webhooks/events?after=1")).status == 200


async def work(services):
    """What workers do all the time, and the jobs of what was written."""
    runner = Runner(registry.tasks(), services, "hot")
    redis = services.resources.redis
    await sweep(redis, worker="hot", set_aside=runner.set_aside)
    for queue in QUEUES:
        while await runner.run_due(queue, 10):
            pass


async def test_hot_statements_find_their_rows_by_an_index(large, crowded, admin, client, monkeypatch):
    recorder, services = Recorder(), client.app[SERVICES]
    with recorder.recording(monkeypatch):
        await deliver(large, crowded)
        await enter(large, admin)
        await write(large)
        await work(services)
    assert len(recorder.seen) > 60
    assert await whole_scans(services.resources.settings.database_url, recorder) == {}


async def test_no_part_of_a_list_reads_more_rows_than_a_few_windows(large, crowded, client, monkeypatch):
    recorder = Recorder()
    with recorder.recording(monkeypatch):
        for path in addresses(crowded):
            await large.api.get(path)
    assert await greedy_reads(client.app[SERVICES].resources.settings.database_url, recorder) == {}

"""Processes that start while Redis is out serve at once, and use it when it answers. A Redis that refuses ends them."""

import asyncio
import contextlib
import secrets
import shutil

import aiohttp
import pytest
import redis

from scaicms.embedded.valkey import EmbeddedValkey
from tests.chaos.proxy import Proxy
from tests.conftest import ADMIN, ARTICLE, PASSWORD, Api
from tests.e2e.starting import COMMANDS, CONFIG, ended, reasons

pytestmark = pytest.mark.timeout(180)
SERVED = {"serve": 1, "serve in processes": 2}
# Starting Python and all modules takes seconds on a busy machine. Waiting for Redis would take 60 s.
READY_SECONDS = 40
BACK_SECONDS = 5
"""After Redis answers, until a process uses it; and some more on a busy machine."""
MARGIN_SECONDS = 5
WAIT = {"SCAICMS_START_WAIT_SECONDS": 60}


@pytest.fixture
def valkey(tmp_path_factory):
    with EmbeddedValkey(tmp_path_factory.mktemp("own"), durable=False) as one:
        yield one


@pytest.fixture
def store(valkey):
    with redis.Redis.from_url(valkey.url) as client:
        yield client


@pytest.fixture
async def door(valkey):
    """The only way to that Redis."""
    proxy = Proxy(valkey.url.removeprefix("unix://"))
    await proxy.start()
    yield proxy
    await proxy.stop()


@contextlib.asynccontextmanager
async def out(door, how):
    """Redis is out in this way."""
    if how == "away":
        await door.refuse()
    else:
        door.go_silent()
    try:
        yield
    finally:
        if how == "away":
            await door.accept()
        else:
            door.speak_again()


class Log:
    """What a process writes, line by line as it comes."""

    def __init__(self, process):
        self.lines = []
        self._task = asyncio.create_task(self._read(process))

    async def _read(self, process):
        async for line in process.stdout:
            self.lines.append(line.decode())

    def count(self, text):
        return sum(text in line for line in self.lines)

    async def until(self, text, number=1, seconds=READY_SECONDS):
        async with asyncio.timeout(seconds):
            while self.count(text) < number:  # noqa: ASYNC110 - another process has no event for us
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def api_of(process, seconds=READY_SECONDS):
    """The API of a web process as the administrator, once it is ready."""
    async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{process.port}") as client:
        async with asyncio.timeout(seconds):
            while await redis_check(client) is None:  # noqa: ASYNC110 - another process has no event for us
                await asyncio.sleep(0.1)
        answer = await Api(client).post("/auth/login", {"email": ADMIN, "password": PASSWORD})
        assert answer.status == 200, answer.raw
        yield Api(client, answer.json["access_token"])


async def redis_check(client):
    """What `/readyz` tells about Redis; None while nothing answers."""
    try:
        async with client.get("/readyz") as response:
            assert response.status == 200, await response.text()
            return (await response.json())["checks"]["redis"]
    except aiohttp.ClientConnectionError:
        return None


async def until(condition, seconds):
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - another process has no event for us
            await asyncio.sleep(0.1)


async def publish(api):
    """Make a site and publish an item there, and read it back."""
    key = f"s{secrets.token_hex(6)}"
    assert (await api.post("/sites", {"key": key, "name": key})).status == 201
    site = api.at(key)
    assert (await site.post("/content-types", ARTICLE)).status == 201
    made = await site.post("/content", {"type": "article", "data": {"title": "Without Redis"}})
    assert (await site.post(f"/content/{made.json['id']}/publish")).status == 200
    assert (await site.get(f"/content/{made.json['id']}")).json["data"]["title"] == "Without Redis"
    return site


@pytest.mark.parametrize("how", ["away", "frozen"])
@pytest.mark.parametrize("command", SERVED)
async def test_a_web_process_serves_at_once_and_joins_redis_when_it_is_back(start, door, command, how):
    async with out(door, how):
        process = await start(COMMANDS[command], REDIS_URL=f"redis://127.0.0.1:{door.port}/0", **WAIT)
        log = Log(process)
        async with api_of(process) as api:
            await publish(api)
            assert await redis_check(api.client) != "ok"
            reason = {"away": "nothing listens there", "frozen": "no answer"}[how]
            sentence = f"Redis at 127.0.0.1:{door.port} cannot be reached: {reason}. This process goes on without it."
            await log.until("Redis at", SERVED[command])
            assert log.count(sentence) == log.count("Redis at") == SERVED[command], log.lines
            metrics = await (await api.client.get("/metrics")).text()
            assert "\nscaicms_redis_away 1.0\n" in metrics
    async with api_of(process) as api:
        await log.until("answers again", SERVED[command], BACK_SECONDS + MARGIN_SECONDS)
        assert await redis_check(api.client) == "ok"
        metrics = await (await api.client.get("/metrics")).text()
        assert "\nscaicms_redis_away 0.0\n" in metrics
    assert log.count("Traceback") == 0


@pytest.mark.parametrize("how", ["away", "frozen"])
async def test_a_worker_works_at_once_and_is_woken_by_redis_when_it_is_back(start, door, store, articles, how):
    async with out(door, how):
        process = await start(COMMANDS["worker"], REDIS_URL=f"redis://127.0.0.1:{door.port}/0", **WAIT)
        log = Log(process)
        await log.until("worker.ready")
        made = await articles.post("/content", {"type": "article", "data": {"title": "Marzipan"}, "publish": True})
        assert made.status == 201

        async def is_found():
            return (await articles.get("/search?q=marzipan")).json["total"] == 1

        await until(is_found, 20)
        await asyncio.sleep(6)  # two rounds of all that a worker does regularly
        assert log.count("Redis at") == 1, log.lines
        warnings = [line for line in log.lines if "warning" in line and "Redis at" not in line]
        assert not warnings
    await log.until("answers again", seconds=BACK_SECONDS + MARGIN_SECONDS)

    async def is_woken():
        return dict(store.pubsub_numsub("scaicms:wake"))[b"scaicms:wake"] == 1 and store.zcard("scaicms:workers") == 1

    await until(is_woken, BACK_SECONDS + MARGIN_SECONDS)
    assert log.count("Traceback") == 0


async def test_an_unknown_name_of_redis_delays_no_start(start):
    """Container platforms have no name for a service that is down."""
    process = await start(COMMANDS["serve"], REDIS_URL="redis://redis.invalid:6379/0", **WAIT)
    log = Log(process)
    async with api_of(process) as api:
        assert await redis_check(api.client) != "ok"
    await log.until("Redis at redis.invalid:6379 cannot be reached: the host name cannot be resolved.")


@pytest.mark.parametrize("how", ["away", "frozen"])
@pytest.mark.parametrize("command", ["jobs", "queues"])
async def test_commands_do_without_redis(start, door, command, how):
    async with out(door, how):
        process = await start(COMMANDS[command], REDIS_URL=f"redis://127.0.0.1:{door.port}/0", **WAIT)
        code, said = await ended(process)
    assert code == 0, said
    (line,) = reasons(said)
    assert "This process goes on without it." in line


async def test_a_redis_with_a_trouble_of_its_own_ends_no_process(start, valkey, store):
    """It cannot write its snapshot, and answers MISCONF to everything that is not a read, to PING as well."""
    store.config_set("save", "3600 1")
    shutil.rmtree(valkey.data)
    store.set("x", 1)
    with contextlib.suppress(redis.RedisError):
        store.bgsave()

    async def is_broken():
        try:
            return not store.ping()
        except redis.ResponseError as error:
            return "MISCONF" in str(error)

    await until(is_broken, 10)
    process = await start(COMMANDS["serve"], REDIS_URL=valkey.url, **WAIT)
    async with api_of(process) as api:
        await publish(api)
    valkey.data.mkdir()


REFUSED = {
    "database": ("{url}?db=9999", "it has no database of this number"),
    "no password": ("{url}", "it does not accept this user or password"),
    "password": ("redis://:wrong@127.0.0.1:{port}/0", "it does not accept this user or password"),
    "user": ("redis://nobody:wrong@127.0.0.1:{port}/0", "it does not accept this user or password"),
    "scheme": ("http://127.0.0.1", "REDIS_URL must be like redis://host:6379/0"),
}


@pytest.mark.parametrize(
    ("command", "what"),
    [
        *(("worker", what) for what in REFUSED),
        ("serve", "password"),
        ("serve in processes", "database"),
        ("arq", "user"),
    ],
)
async def test_a_redis_that_refuses_ends_the_process_at_once(start, door, valkey, store, command, what):
    if what != "database":
        store.config_set("requirepass", "right")
    url, sentence = REFUSED[what]
    url = url.format(url=valkey.url, port=door.port)
    code, said = await ended(await start(COMMANDS[command], REDIS_URL=url, **WAIT))
    assert code == CONFIG, said
    assert sentence in said
    assert "Traceback" not in said


async def test_a_redis_that_comes_back_and_refuses_is_reported_once(start, door, store):
    async with out(door, "away"):
        process = await start(COMMANDS["serve"], REDIS_URL=f"redis://127.0.0.1:{door.port}/0", **WAIT)
        log = Log(process)
        async with api_of(process):
            store.config_set("requirepass", "right")
    await log.until("cannot be used: it does not accept this user or password. Check REDIS_URL.", seconds=20)
    await asyncio.sleep(2)
    async with api_of(process) as api:
        assert await redis_check(api.client) != "ok"
    assert log.count("cannot be used") == 1

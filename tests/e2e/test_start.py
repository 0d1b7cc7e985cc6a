"""Processes that start while PostgreSQL is away wait, say so, and end with an exit code that says why."""

import asyncio
import signal
import time

import pytest

from scaicms.infra.db.dsn import parse_dsn
from tests.chaos.proxy import Proxy
from tests.e2e.starting import COMMANDS, CONFIG, UNAVAILABLE, ended, reasons
from tests.e2e.test_commands import free_port

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def tcp(settings):
    """The database by TCP, which TLS and ports need."""
    proxy = Proxy(f"{parse_dsn(settings.database_url)['host']}/.s.PGSQL.5432")
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.mark.parametrize("command", COMMANDS)
async def test_without_postgresql_every_command_waits_says_so_once_and_ends_with_69(start, command):
    port = free_port()
    url = f"postgresql://postgres@127.0.0.1:{port}/scaicms"
    code, said = await ended(await start(COMMANDS[command], DATABASE_URL=url))
    assert code == UNAVAILABLE, said
    waiting, gave_up = reasons(said)
    assert (
        f"PostgreSQL at 127.0.0.1:{port} cannot be reached: nothing listens there. Waiting for it up to 1 s." in waiting
    )
    assert "Gave up after" in gave_up
    assert "DATABASE_URL" in gave_up


async def test_arqs_own_command_waits_for_redis_too(start):
    port = free_port()
    code, said = await ended(await start(COMMANDS["arq"], REDIS_URL=f"redis://127.0.0.1:{port}/0"))
    assert code == UNAVAILABLE, said
    waiting, gave_up = reasons(said)
    assert f"Redis at 127.0.0.1:{port} cannot be reached: nothing listens there. Waiting" in waiting
    assert "REDIS_URL" in gave_up


async def test_a_server_that_accepts_and_says_nothing_is_away_too(start, tcp):
    tcp.go_silent()
    url = f"postgresql://postgres@127.0.0.1:{tcp.port}/scaicms?sslmode=disable"
    code, said = await ended(await start(COMMANDS["migrate"], DATABASE_URL=url))
    assert code == UNAVAILABLE, said
    assert "no answer" in said
    tcp.speak_again()


REFUSED = {
    "database": ("postgresql://postgres@127.0.0.1:{port}/nothing?sslmode=disable", "it has no database nothing"),
    "user": ("postgresql://nobody:x@127.0.0.1:{port}/scaicms?sslmode=disable", "does not accept the user nobody"),
    "TLS": ("postgresql://postgres@127.0.0.1:{port}/scaicms?sslmode=require", "it does not offer TLS"),
    "scheme": ("mysql://postgres@127.0.0.1:{port}/scaicms", "DATABASE_URL must begin with postgresql://"),
    "no database": ("postgresql://postgres@127.0.0.1:{port}", "DATABASE_URL names no database"),
}


@pytest.mark.parametrize(
    ("command", "what"), [*(("migrate", what) for what in REFUSED), ("serve", "database"), ("arq", "user")]
)
async def test_what_waiting_cannot_help_ends_at_once_with_78_and_a_sentence(start, tcp, command, what):
    url, sentence = REFUSED[what]
    began = time.monotonic()
    process = await start(COMMANDS[command], DATABASE_URL=url.format(port=tcp.port), SCAICMS_START_WAIT_SECONDS=600)
    code, said = await ended(process)
    assert code == CONFIG, said
    assert sentence in said
    assert "Traceback" not in said, said
    assert time.monotonic() - began < 60


async def test_a_name_that_nobody_knows_is_tried_for_seconds_not_minutes(start):
    url = "postgresql://postgres@nowhere.invalid/scaicms"
    code, said = await ended(await start(COMMANDS["migrate"], DATABASE_URL=url, SCAICMS_START_WAIT_SECONDS=600))
    assert code == CONFIG, said
    assert "the host name cannot be resolved" in said


@pytest.mark.parametrize("command", ["serve", "worker"])
async def test_who_waits_goes_on_when_the_engine_comes_and_stops_at_once_when_told(start, settings, command):
    port = free_port()
    url = f"postgresql://postgres@127.0.0.1:{port}/scaicms?sslmode=disable"
    process = await start(COMMANDS[command], DATABASE_URL=url, SCAICMS_START_WAIT_SECONDS=60)
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    assert "Waiting for it up to 60 s" in line
    proxy = Proxy(f"{parse_dsn(settings.database_url)['host']}/.s.PGSQL.5432")
    proxy.port = port
    await proxy.accept()
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    assert "PostgreSQL answers after" in line
    process.send_signal(signal.SIGTERM)
    await ended(process)
    await proxy.stop()


async def test_who_waits_is_stopped_at_once(start):
    url = f"postgresql://postgres@127.0.0.1:{free_port()}/scaicms"
    process = await start(COMMANDS["worker"], DATABASE_URL=url, SCAICMS_START_WAIT_SECONDS=600)
    await asyncio.wait_for(process.stdout.readline(), 60)
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.wait(), 5)

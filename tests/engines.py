"""PostgreSQL and Valkey of one test process: from their wheels, or those that the environment names.

`TEST_DATABASE_URL` names a server on which databases may be made: each process makes its own and drops it at the end.
`TEST_REDIS_URL` names a server whose numbered databases are emptied: each process takes the one of its number, counted
from the one in the address.
"""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
import redis

from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.valkey import EmbeddedValkey


@contextmanager
def engines(home: Path, worker: str) -> Iterator[tuple[str, str]]:
    """Addresses of a database and a Redis that nobody else uses; `worker` is the name that xdist gives the process."""
    with ExitStack() as stack:
        database, valkey = os.environ.get("TEST_DATABASE_URL"), os.environ.get("TEST_REDIS_URL")
        if database:
            database_url = stack.enter_context(_own_database(database, worker))
        else:
            database_url = stack.enter_context(EmbeddedPostgres(home, durable=False)).url
        if valkey:
            redis_url = _own_redis(valkey, worker)
        else:
            redis_url = stack.enter_context(EmbeddedValkey(home, durable=False)).url
        yield database_url, redis_url


@contextmanager
def _own_database(url: str, worker: str) -> Iterator[str]:
    name = f"scaicms_test_{worker}_{secrets.token_hex(4)}"
    asyncio.run(_execute(url, f'CREATE DATABASE "{name}"'))
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        asyncio.run(_execute(url, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _own_redis(url: str, worker: str) -> str:
    number = int(worker.removeprefix("gw")) if worker.startswith("gw") else 0
    parts = urlsplit(url)
    if parts.scheme == "unix":
        query = dict(parse_qsl(parts.query))
        query["db"] = str(int(query.get("db", 0)) + number)
        # urlunsplit leaves out the empty host that a socket's address has.
        own = f"unix://{parts.path}?{urlencode(query)}"
    else:
        own = urlunsplit(parts._replace(path=f"/{int(parts.path.strip('/') or 0) + number}"))
    with redis.Redis.from_url(own) as client:
        client.flushdb()
    return own


def target_of(url: str) -> str:
    """Where a server listens, as `tests.chaos.proxy.Proxy` takes it."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    port = parts.port or query.get("port", 5432)
    return f"{query['host']}/.s.PGSQL.{port}" if "host" in query else f"{parts.hostname}:{port}"


def through(url: str, port: int) -> str:
    """The same database by way of a proxy on this port."""
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}", query="sslmode=disable"))

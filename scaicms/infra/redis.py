"""Redis or Valkey, as ARQ wants it: JSON, never pickle; bounded waits, so that Redis away is a quick answer."""

from arq.connections import ArqRedis, RedisSettings
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from scaicms.kit import json

CONNECT_SECONDS = 1
SOCKET_SECONDS = 2


def open_redis(url: str) -> ArqRedis:
    """A client over its own pool; nothing is sent before the first command."""
    pool = ConnectionPool.from_url(
        url,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=SOCKET_SECONDS,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 1),
        encoding="utf8",
    )
    return ArqRedis(pool, job_serializer=json.dumps, job_deserializer=json.loads)


def redis_settings(url: str) -> RedisSettings:
    """The same address for ARQ's own command line (`arq workers.search.WorkerSettings`)."""
    settings = RedisSettings.from_dsn(url)
    settings.conn_timeout = CONNECT_SECONDS
    settings.conn_retries = 60
    settings.retry_on_timeout = True
    return settings

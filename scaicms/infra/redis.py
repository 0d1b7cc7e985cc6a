"""Redis or Valkey, as ARQ wants it: JSON, never pickle; bounded waits, so that Redis away is a quick answer."""

from arq.connections import ArqRedis, RedisSettings
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from scaicms.infra.redis_breaker import BreakerPool
from scaicms.kit import json

CONNECT_SECONDS = 1
WORKER_SECONDS = 1.0
"""The longest wait of a worker for one answer. The breaker then remembers that there was none."""
WEB_SECONDS = 0.1
"""The longest wait of a web process, where a caller waits for the response. The sweeper makes up for lost doorbells."""


def open_pool(url: str, *, seconds: float = WORKER_SECONDS) -> BreakerPool:
    """A pool; nothing is sent before the first command. No answer takes longer than `seconds`.

    Raises:
        ValueError: the address is none.
    """
    pool: BreakerPool = BreakerPool.from_url(
        url,
        socket_connect_timeout=seconds,
        socket_timeout=seconds,
        health_check_interval=30,
        # A connection that Redis has closed is worth a second try; an answer that does not come is not.
        retry=Retry(ExponentialBackoff(cap=0.05, base=0.01), 1, supported_errors=(RedisConnectionError,)),
        encoding="utf8",
    )
    return pool


def redis_over(pool: BreakerPool) -> ArqRedis:
    return ArqRedis(pool, job_serializer=json.dumps, job_deserializer=json.loads)


def open_redis(url: str, *, seconds: float = WORKER_SECONDS) -> ArqRedis:
    """A client over a pool of its own; see `open_pool`."""
    return redis_over(open_pool(url, seconds=seconds))


def redis_settings(url: str) -> RedisSettings:
    """The same address for ARQ's own command line (`arq workers.search.WorkerSettings`)."""
    settings = RedisSettings.from_dsn(url)
    settings.conn_timeout = CONNECT_SECONDS
    settings.conn_retries = 60
    settings.retry_on_timeout = True
    return settings

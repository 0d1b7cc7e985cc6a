"""Where rates are counted for all processes: windows of the library `limits` in Redis."""

from typing import Any

from arq.connections import ArqRedis
from limits.aio.storage import RedisStorage


class _Windows(RedisStorage):
    """Through redis-py alone: the library imports every client that is installed, and the one of Valkey (the embedded
    engine brings it along) is three megabytes in each process."""

    DEPENDENCIES = {"redis": None}  # noqa: RUF012 - declared by the library as one of the instance


def shared_windows(redis: ArqRedis) -> RedisStorage:
    """The windows that all processes share, over the connections there are. What to do while Redis is away is the
    caller's to decide."""
    pool: Any = redis.connection_pool  # the library's own options are typed as scalars
    return _Windows("async+redis://", implementation="redispy", connection_pool=pool, key_prefix="scaicms:limits")

"""Pools of connections in which nobody waits for ever: behind a server that answers nothing, everybody would."""

from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.pool import PoolAcquireContext
from tortoise.backends.asyncpg.client import AsyncpgDBClient

if TYPE_CHECKING:
    _Pool = asyncpg.Pool[Any]
else:  # generic for the type checker alone
    _Pool = asyncpg.Pool

ACQUIRE_SECONDS = 5.0
"""How long a request waits for a connection, and for a new one to be opened."""
# What `asyncpg.create_pool` would use.
_DEFAULTS: dict[str, Any] = {
    "max_queries": 50_000,
    "max_inactive_connection_lifetime": 300.0,
    "loop": None,
    "record_class": asyncpg.Record,
}


class BoundedPool(_Pool):
    """A pool whose `acquire` raises `TimeoutError` after `acquire_seconds`; with None it waits."""

    def __init__(self, *, acquire_seconds: float | None, **options: Any) -> None:
        super().__init__(None, **{**_DEFAULTS, **options})
        self._acquire_seconds = acquire_seconds

    def acquire(self, *, timeout: float | None = None) -> "PoolAcquireContext[Any]":
        return super().acquire(timeout=self._acquire_seconds if timeout is None else timeout)


class BoundedClient(AsyncpgDBClient):
    """Tortoise's client over such a pool; `acquire_seconds` is among its credentials."""

    async def create_pool(self, **options: Any) -> BoundedPool:
        return await BoundedPool(**options)


client_class = BoundedClient
"""By this name Tortoise finds the client in the module that its configuration names as `engine`."""

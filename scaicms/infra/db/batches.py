"""Statements for many tasks at once: while one batch is under way, the next one gathers.

A single item is worked on at once, alone. Under load a batch is whatever has come in the meantime, so that a statement
serves many tasks and nobody waits for a timer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import asyncpg

from scaicms.infra.db.connection import OUTAGES

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
MAX_ITEMS = 100
_FOR_ALL = (*OUTAGES, asyncpg.QueryCanceledError)
"""Errors that say nothing about an item: trying each alone would take as long again."""


class Batches(Generic[ItemT, ResultT]):
    """Runs `work` on lists of items, one list at a time. It returns one result for each item, in their order."""

    def __init__(self, work: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT]]]) -> None:
        self._work = work
        self._waiting: list[tuple[ItemT, asyncio.Future[ResultT]]] = []
        self._running: asyncio.Task[None] | None = None

    async def do(self, item: ItemT) -> ResultT:
        """The result for this item. Where a batch fails, each of its items is tried alone, so that an error is raised
        for the item that causes it. Outages are raised for all."""
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name=f"batches:{self._work.__name__}")
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_ITEMS], self._waiting[MAX_ITEMS:]
                try:
                    await self._settle([(item, future) for item, future in batch if not future.done()])
                finally:  # nobody waits for ever when the process ends
                    for _, future in batch:
                        future.cancel()
        finally:
            self._running = None
            for _, future in self._waiting:
                future.cancel()
            self._waiting = []

    async def _settle(self, batch: Sequence[tuple[ItemT, "asyncio.Future[ResultT]"]]) -> None:
        if not batch:
            return
        try:
            results = await self._work([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - raised where the items came from
            if len(batch) == 1 or isinstance(error, _FOR_ALL):
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                return
            for one in batch:
                await self._settle([one])
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)

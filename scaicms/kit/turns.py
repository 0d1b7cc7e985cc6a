"""Long loops that share the event loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")
SLICE_SECONDS = 0.02
"""Processor time between two turns of others."""


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """The items one by one; others run in between when working on them takes long."""
    began = time.thread_time()
    for item in items:
        yield item
        if time.thread_time() - began > SLICE_SECONDS:
            await asyncio.sleep(0)
            began = time.thread_time()

"""Measures how long callbacks hold the event loop, in processor time of its thread."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Stops:
    """Processor time of single callbacks, in seconds; those of the test's own task are left out."""

    own: asyncio.Task[Any] | None
    longest: float = 0.0
    what: str = ""
    every: list[tuple[float, str]] = field(default_factory=list)

    def add(self, seconds: float, handle: Any) -> None:
        task = getattr(handle._callback, "__self__", None)
        if seconds > 0.05 and task is not self.own:
            self.every.append((seconds, repr(handle)))
        if seconds > self.longest and task is not self.own:
            self.longest, self.what = seconds, repr(handle)


@contextlib.contextmanager
def measured_stops() -> Iterator[Stops]:
    """What the loop does in this block. The machine may be busy: processor time does not grow by that."""
    stops = Stops(asyncio.current_task())
    original = asyncio.Handle._run

    def run(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        try:
            original(handle)
        finally:
            stops.add(time.thread_time() - began, handle)

    # The objects of hundreds of tests before this one are no part of what a request costs.
    gc.collect()
    gc.freeze()
    asyncio.Handle._run = run
    try:
        yield stops
    finally:
        asyncio.Handle._run = original
        gc.unfreeze()

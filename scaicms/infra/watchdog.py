"""Watches the event loop: counts and logs each time that it stands still, with what ran.

While one callback runs, no other request or job goes on. The loop notes the time at each beat; a thread takes the stack
when a beat is late. Tasks are named after their request or job, so the log names it.
"""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import structlog
from prometheus_client import Histogram

BEAT_SECONDS = 0.05
STALL_SECONDS = 0.2
"""Shorter stops are normal; the figure is accurate to one beat."""
LONG_SECONDS = 5.0
"""A stop that lasts this long is logged before it ends: it may never do so."""
MAX_FRAMES = 20

_stalled = Histogram(
    "scaicms_loop_stalled_seconds",
    "Times for which the event loop stood still, if longer than 0.2 s",
    buckets=(0.25, 0.5, 1, 2, 5, 10, 30),
)
log = structlog.get_logger(__name__)


@asynccontextmanager
async def watched_loop() -> AsyncIterator[None]:
    """Watch the running loop."""
    watchdog = _Watchdog(asyncio.get_running_loop())
    watchdog.start()
    try:
        yield
    finally:
        watchdog.stop()


class _Watchdog:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._ended = threading.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._last = time.monotonic()
        self._cpu = time.thread_time()
        self._seen: dict[str, str] | None = None
        """Task and stack of the stop that goes on."""

    def start(self) -> None:
        self._timer = self._loop.call_later(BEAT_SECONDS, self._beat)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        now, cpu = time.monotonic(), time.thread_time()
        stalled, spent, seen = now - self._last - BEAT_SECONDS, cpu - self._cpu, self._seen
        self._last, self._cpu, self._seen = now, cpu, None
        if stalled > STALL_SECONDS:
            _stalled.observe(stalled)
            # Little processor time in a long stop: the machine was busy or suspended, or a call waited.
            log.warning("loop.stalled", seconds=round(stalled, 3), cpu_seconds=round(spent, 3), **(seen or {}))
        self._timer = self._loop.call_later(BEAT_SECONDS, self._beat)

    def _watch(self) -> None:
        logged = 0.0
        while not self._ended.wait(BEAT_SECONDS):
            last = self._last
            late = time.monotonic() - last - BEAT_SECONDS
            if late > STALL_SECONDS and self._seen is None:
                self._seen = self._look()
            if late > LONG_SECONDS and logged != last:
                logged = last
                log.error("loop.stands_still", seconds=round(late, 3), **self._look())

    def _look(self) -> dict[str, str]:
        task = asyncio.current_task(self._loop)
        frame = sys._current_frames().get(self._loop_thread)
        return {"task": task.get_name() if task is not None else "", "stack": _places(frame)}


def _places(frame: FrameType | None) -> str:
    """Where a thread is, innermost call first."""
    places: list[str] = []
    while frame is not None and len(places) < MAX_FRAMES:
        code = frame.f_code
        places.append(f"{code.co_filename}:{frame.f_lineno} {code.co_name}")
        frame = frame.f_back
    return " < ".join(places)

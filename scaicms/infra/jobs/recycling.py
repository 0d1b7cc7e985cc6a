"""Recycling: a worker that has grown too large or too old drains and begins anew."""

import asyncio
import time

import psutil
import structlog

CHECK_SECONDS = 5.0

log = structlog.get_logger(__name__)


async def until_worn(*, max_memory_bytes: int, max_age_seconds: int) -> None:
    """Return when this process holds more memory or is older than that; 0 is no bound."""
    process, started = psutil.Process(), time.monotonic()
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        memory, age = process.memory_info().rss, time.monotonic() - started
        if 0 < max_memory_bytes < memory or 0 < max_age_seconds < age:
            log.info("worker.recycling", memory_bytes=memory, age_seconds=round(age))
            return

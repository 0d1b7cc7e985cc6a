"""How far the clock of this host is from the database's."""

import time
from typing import Any

import structlog
from prometheus_client import Gauge

from scaicms.kit import clock

TOLERANCE_SECONDS = 0.05
"""A smaller difference from what is known is within the error of measuring."""
LARGE_SECONDS = 5.0

_difference = Gauge(
    "scaicms_clock_offset_seconds",
    "Seconds by which the clock of this host is behind the database's",
    multiprocess_mode="livemostrecent",
)
log = structlog.get_logger(__name__)


async def measure(connection: Any) -> None:
    """Ask the database for its time and correct the clock of this process by the difference."""
    asked = time.time()
    there = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    answered = time.time()
    error = (answered - asked) / 2 + TOLERANCE_SECONDS
    found, known = there - (asked + answered) / 2, clock.offset()
    if abs(found - known) <= error:
        return
    if abs(found - known) >= LARGE_SECONDS:
        log.warning("clock.differs", seconds=round(found, 2))
    clock.set_offset(found)
    _difference.set(found)

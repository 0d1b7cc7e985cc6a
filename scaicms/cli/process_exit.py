"""Ending a process that has closed what it held.

The interpreter's own end takes a large heap apart, which lasts for seconds on a busy machine, and waits for threads,
which may hang. Neither helps anybody: PostgreSQL, Redis and our child processes see the process go.
"""

import contextlib
import logging
import os
import sys
import threading
from typing import NoReturn

import structlog

LATE_EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h

log = structlog.get_logger(__name__)


def exit_now(code: int) -> NoReturn:
    """End this process at once, with all that it has printed and logged."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def exit_within(seconds: float) -> None:
    """End this process `seconds` from now at the latest, whatever it is waiting for then."""

    def late() -> NoReturn:
        log.error("process.exit_forced", seconds=seconds)
        exit_now(LATE_EXIT_CODE)

    timer = threading.Timer(seconds, late)
    timer.daemon = True
    timer.start()

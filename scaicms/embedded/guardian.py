"""Nothing outlives its parent: a small process that stops the children when the parent is gone, however it went.

The parent writes one JSON line a child to the guardian's standard input, and `bye` when it has stopped them all
itself. End of file without a `bye` means that the parent died.
"""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass

import psutil

GRACE_SECONDS = 5.0
BYE = b"bye"


@dataclass(frozen=True, slots=True)
class Ward:
    """A child to stop. `started` guards against another process that has got the same id."""

    pid: int
    started: float
    stop_signal: int


class Guardian:
    """The parent's end."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scaicms.embedded.guardian"], stdin=subprocess.PIPE, start_new_session=True
        )

    def watch(self, pid: int, stop_signal: signal.Signals) -> None:
        """Make sure that this child does not outlive us. Children are stopped in reverse order of watching."""
        with suppress(psutil.NoSuchProcess):
            self._say(json.dumps(asdict(Ward(pid, psutil.Process(pid).create_time(), stop_signal))).encode())

    def dismiss(self) -> None:
        """All children are stopped."""
        with suppress(BrokenPipeError):
            self._say(BYE)
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _say(self, line: bytes) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()


def stop_wards(wards: list[Ward]) -> None:
    """Newest first: each gets its signal and five seconds, then the end."""
    for ward in reversed(wards):
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(ward.pid)
            if abs(process.create_time() - ward.started) > 0.5:
                continue
            process.send_signal(ward.stop_signal)
            try:
                process.wait(GRACE_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()


def guard() -> None:
    """The guardian's life."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wards = []
    for line in sys.stdin.buffer:
        if line.strip() == BYE:
            return
        wards.append(Ward(**json.loads(line)))
    stop_wards(wards)


if __name__ == "__main__":
    guard()

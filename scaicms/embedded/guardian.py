"""Nothing outlives its parent: a small process that stops the children when the parent is gone, however it went.

The parent writes one JSON line a child to the guardian's standard input, and `bye` when it has stopped them all
itself. End of file without a `bye` means that the parent died.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

GRACE_SECONDS = 5.0
POLL_SECONDS = 0.02
BYE = b"bye"
TOKEN = "SCAICMS_GUARDED"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Ward:
    """A child to stop. `started` tells it from another process that has got the same id."""

    pid: int
    started: str
    stop_signal: int

    def is_alive(self) -> bool:
        try:
            return start_mark(self.pid) == self.started
        except psutil.NoSuchProcess:
            return False


class Guardian:
    """The parent's end."""

    def __init__(self) -> None:
        self._wards: list[Ward] = []
        self._token = secrets.token_hex(16)
        self._process = self._spawn()

    @property
    def environment(self) -> dict[str, str]:
        """Give children this: by it they are found should we die between starting one and saying so."""
        return {TOKEN: self._token}

    def watch(self, pid: int, stop_signal: signal.Signals) -> None:
        """Make sure that this child does not outlive us. Children are stopped in reverse order of watching.

        The child leads a process group of its own (`start_new_session=True`), which is stopped with it.
        """
        with suppress(psutil.NoSuchProcess):
            ward = Ward(pid, start_mark(pid), stop_signal)
            self._wards = [*(old for old in self._wards if old.is_alive()), ward]
            try:
                self._say(_line(ward))
            except BrokenPipeError:
                # Somebody killed the guardian: another one takes over all of them.
                self._process.wait()
                self._process = self._spawn()
                self._say(b"".join(_line(known) for known in self._wards))

    def dismiss(self) -> None:
        """All children are stopped."""
        with suppress(BrokenPipeError):
            self._say(BYE + b"\n")
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        # By path, so that it does not matter from where the parent imported the package; -P, so that the modules
        # beside it hide none of the standard library; unbuffered, so that a line is written whole at once.
        command = [sys.executable, "-P", str(Path(__file__).resolve()), self._token]
        return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, cwd="/", bufsize=0)

    def _say(self, line: bytes) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line)


def _line(ward: Ward) -> bytes:
    return json.dumps(asdict(ward)).encode() + b"\n"


def start_mark(pid: int) -> str:
    """What no later process with this id has.

    On Linux the clock ticks from boot to its start (proc_pid_stat(5), field 22), because the wall clock time that
    psutil derives from them moves whenever the clock is set.

    Raises:
        psutil.NoSuchProcess: there is no such process.
    """
    if not sys.platform.startswith("linux"):
        return repr(psutil.Process(pid).create_time())
    try:
        # The second field is a program name in parentheses that may hold anything, so count after the last one.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None


def stop_process(process: psutil.Process, stop_signal: int, seconds: float) -> None:
    """Signal a process, wait up to `seconds`, then kill it; what is left of the group that it led goes with it."""
    try:
        leads_group = os.getpgid(process.pid) == process.pid
        process.send_signal(stop_signal)
        if not has_ended(process, seconds):
            process.kill()
            has_ended(process, seconds)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return
    if leads_group:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def has_ended(process: psutil.Process, seconds: float) -> bool:
    """Whether it ends within that time. A zombie has ended: in containers, often nobody collects it."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)


def guard() -> None:
    """The guardian's life."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wards = []
    for line in sys.stdin.buffer:
        if line.strip() == BYE:
            return
        wards.append(Ward(**json.loads(line)))
    for ward in reversed(wards):
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(ward.pid)
            if ward.is_alive():
                stop_process(process, ward.stop_signal, GRACE_SECONDS)
    _kill_unannounced(sys.argv[1])


def _kill_unannounced(token: str) -> None:
    """What the parent had started but not told of when it died."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(TOKEN) == token:
                process.kill()


if __name__ == "__main__":
    guard()

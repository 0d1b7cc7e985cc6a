"""File objects that keep the parsers of hostile archives within bounds.

Parsers read a header or directory of whatever length it declares in one piece: both classes refuse
a single read beyond their `single_read` bytes with `LimitExceededError`.
"""

from __future__ import annotations

import io
import os
import zlib
from pathlib import Path
from typing import IO

from .rows import LimitExceededError

_CHUNK = 64 * 1024


class CappedFile(io.BufferedReader):
    """A file for random access."""

    def __init__(self, path: Path, *, single_read: int) -> None:
        super().__init__(io.FileIO(path))
        self._single_read = single_read

    def read(self, size: int | None = -1, /) -> bytes:
        _refuse_long(size or 0, self._single_read)
        return super().read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_SET and offset < 0:  # else an OSError, which would look like a failing disk
            raise ValueError("an entry has an impossible place")
        return super().seek(offset, whence)


class PackedReader(io.RawIOBase):
    """The file under a decompressor: counts what was taken, and hands out small blocks.

    Small blocks keep the decompressor from reading ahead, so that `taken` says how many packed
    bytes an entry has, to within one `BLOCK`.
    """

    BLOCK = 4096

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.taken = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(self.BLOCK if size < 0 else min(size, self.BLOCK))
        self.taken += len(data)
        return data


class Gunzip(io.RawIOBase):
    """The bytes that a gzip file was made of. The standard library's reader goes through any number of members, minutes
    long where they are empty: more than `members` are refused with `LimitExceededError`.

    Raises `zlib.error` for damage, `EOFError` where the file is cut short.
    """

    _GZIP = 16 + zlib.MAX_WBITS

    def __init__(self, file: PackedReader, *, members: int) -> None:
        self._file = file
        self._left = members
        self._member = zlib.decompressobj(self._GZIP)
        self._packed = b""
        self._begun = False

    def read(self, size: int = -1, /) -> bytes:
        while size != 0:
            self._packed = self._packed or self._file.read()
            if not self._packed and self._begun:
                raise EOFError("the gzip file is cut short")
            if not self._packed:
                return b""
            if not self._begun and not self._next():
                continue
            data = self._member.decompress(self._packed, max(size, 0) or PackedReader.BLOCK)
            self._packed = self._member.unconsumed_tail
            if self._member.eof:
                self._packed, self._begun = self._member.unused_data, False
            if data:
                return data
        return b""

    def _next(self) -> bool:
        """Begin another member, if there is more than the zeros that may stand behind the last one."""
        self._packed = self._packed.lstrip(b"\0")
        if not self._packed:
            return False
        self._left -= 1
        if self._left < 0:
            raise LimitExceededError("The gzip file is made of too many parts.")
        self._member, self._begun = zlib.decompressobj(self._GZIP), True
        return True


class ForwardReader(io.RawIOBase):
    """A stream that only goes forward: seeking skips by reading.

    Going back is a `ValueError` (an entry of negative size would loop for ever). More than `total`
    bytes are refused with `LimitExceededError`. `last` is what was read last.
    """

    def __init__(self, file: io.BufferedIOBase | io.RawIOBase, *, single_read: int, total: int) -> None:
        self._file = file
        self._single_read = single_read
        self._total = total
        self._position = 0
        self.last = b""

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        _refuse_long(size, self._single_read)
        chunks: list[bytes] = []
        # A short read means the end to the parsers, so ask until there is enough.
        while size > 0 and (chunk := self._take(size)):
            chunks.append(chunk)
            size -= len(chunk)
        self.last = b"".join(chunks)
        return self.last

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence != os.SEEK_SET or offset < self._position:
            raise ValueError("an entry has an impossible size")
        self.skip_to(offset)
        return self._position

    def skip_to(self, offset: int) -> None:
        """Read on up to the offset, or to the end where that comes first."""
        while self._position < offset and self._take(offset - self._position):
            pass

    def drain(self) -> None:
        """Read on to the end."""
        while self._take(_CHUNK):
            pass

    def _take(self, size: int) -> bytes:
        chunk = self._file.read(min(size, _CHUNK)) or b""
        self._position += len(chunk)
        if self._position > self._total:
            raise LimitExceededError(f"The archive expands to more than {self._total} bytes.")
        return chunk


def _refuse_long(size: int, most: int) -> None:
    if size > most:
        raise LimitExceededError(f"The archive has a directory or header of {size} bytes; at most {most} are read.")

"""Content codings of request bodies (RFC 9110 §8.4): gzip and deflate, decoded in bounded pieces.

aiohttp decodes by itself, but it takes a body that is cut short for a whole one, leaves unknown codings as they are
and raises errors of its own. `create_app` switches that off.
"""

import zlib
from collections.abc import Iterator

from aiohttp import web

from scaicms.kit.errors import BadRequestError, UnsupportedMediaTypeError

ACCEPTED_CODINGS = "gzip, deflate"
PIECE_BYTES = 64 * 1024
_GZIP_WINDOW, _ZLIB_WINDOW, _RAW_WINDOW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_ZLIB_METHOD = 8


class BadCodingError(BadRequestError):
    code = "invalid_content_encoding"

    def __init__(self, coding: str) -> None:
        super().__init__(f"The body is not valid {coding}, which its Content-Encoding names.")


def coding_of(request: web.Request) -> str | None:
    """`gzip`, `deflate`, or None for a body that is sent as it is.

    Raises:
        UnsupportedMediaTypeError: another coding, or more than one.
    """
    named = ",".join(request.headers.getall("Content-Encoding", ()))
    codings = [coding for part in named.split(",") if (coding := part.strip().lower()) not in ("", "identity")]
    if not codings:
        return None
    if len(codings) == 1 and codings[0].removeprefix("x-") in ("gzip", "deflate"):
        return codings[0].removeprefix("x-")
    # RFC 9110 §15.5.16: the answer names what is accepted.
    message = f"This Content-Encoding is not accepted. Accepted: one of {ACCEPTED_CODINGS}, or none."
    raise UnsupportedMediaTypeError(message, headers={"Accept-Encoding": ACCEPTED_CODINGS})


def refuse_coding(request: web.Request) -> None:
    """For bodies that are read as they are, such as forms with files.

    Raises:
        UnsupportedMediaTypeError: the body has a Content-Encoding.
    """
    if coding_of(request) is not None:
        message = "A multipart body has no Content-Encoding. Send the form as it is."
        raise UnsupportedMediaTypeError(message, headers={"Accept-Encoding": "identity"})


class Decoder:
    """Decodes one body. Call `decode` for each chunk, then `finish`."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._stream = zlib.decompressobj(_GZIP_WINDOW) if coding == "gzip" else None

    def decode(self, chunk: bytes) -> Iterator[bytes]:
        """Pieces of at most `PIECE_BYTES`.

        Raises:
            BadCodingError: the bytes are not in the coding, or go on after its end.
        """
        if self._stream is None:
            # RFC 9110 §8.4.1.2: some clients send deflate without the zlib header.
            wrapped = chunk[:1] and chunk[0] & 0x0F == _ZLIB_METHOD
            self._stream = zlib.decompressobj(_ZLIB_WINDOW if wrapped else _RAW_WINDOW)
        pending = chunk
        while pending:
            try:
                piece = self._stream.decompress(pending, PIECE_BYTES)
            except zlib.error:
                raise BadCodingError(self._coding) from None
            if self._stream.unused_data:
                raise BadCodingError(self._coding)
            if piece:
                yield piece
            pending = self._stream.unconsumed_tail

    def finish(self) -> Iterator[bytes]:
        """What is left when the body has ended.

        Raises:
            BadCodingError: the body is cut short.
        """
        while self._stream is not None and not self._stream.eof:
            try:
                piece = self._stream.decompress(b"", PIECE_BYTES)
            except zlib.error:
                raise BadCodingError(self._coding) from None
            if not piece:
                break
            yield piece
        if self._stream is None or not self._stream.eof:
            raise BadCodingError(self._coding)

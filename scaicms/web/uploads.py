"""Receiving a file: the multipart body is streamed to storage, never held in memory."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

from aiohttp import BodyPartReader, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.multipart import MultipartReader

from scaicms.infra.storage import Storage, StorageAwayError
from scaicms.kit.errors import (
    AppError,
    BadRequestError,
    FieldError,
    InvalidError,
    TooLargeError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from scaicms.web.body import CHUNK_BYTES, paced
from scaicms.web.decoding import refuse_coding

MAX_PART_BYTES = 64 * 1024
HEAD_BYTES = 64
MAX_LINES = 1_000
"""Boundaries and header lines of a form: aiohttp takes 128 headers a part, and forms have a handful of parts."""

Limit = Callable[[bytes], int]
"""How many bytes a file may have that begins like this."""


@dataclass(slots=True)
class Upload:
    """The stored file and the other parts of the form. `digest` is the SHA-256 of its bytes, in hex."""

    key: str
    is_stored: bool = False
    filename: str = ""
    size: int = 0
    digest: str = ""
    values: dict[str, str] = field(default_factory=dict)


class _Lines:
    """The body of a form, of which at most `MAX_LINES` are read as lines: boundaries and headers. aiohttp looks through
    all lines before the first boundary, and a megabyte of empty ones would keep the event loop busy for seconds."""

    def __init__(self, content: StreamReader) -> None:
        self._content = content
        self._left = MAX_LINES

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise ValueError("too many lines")
        return await self._content.readline(max_line_length=max_line_length)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)


@asynccontextmanager
async def received(
    request: web.Request, storage: Storage, key: str, *, parts: frozenset[str], limit: Limit, idle_seconds: float
) -> AsyncIterator[Upload]:
    """The form of `request`, with its file under `key`.

    The stored file is removed when it did not arrive whole, and when the block refuses it. After any other failure it
    stays: its row may be committed although the answer of the database was lost. The sweep of the storage removes what
    has no row.

    Raises:
        UnsupportedMediaTypeError: the body is no multipart/form-data, or has a Content-Encoding.
        InvalidError: a part is unknown, given twice, or there is no `file`.
        TooLargeError: the file is larger than it may be.
    """
    if request.content_type != "multipart/form-data":
        raise UnsupportedMediaTypeError("Send the file as multipart/form-data.")
    refuse_coding(request)
    upload = Upload(key)
    try:
        await _receive(request, storage, upload, parts=parts, limit=limit, idle_seconds=idle_seconds)
    except StorageAwayError:
        raise  # nothing can be removed either
    except BaseException:
        await _discard(storage, upload)
        raise
    try:
        yield upload
    except AppError as error:
        if error.status < 500:
            await _discard(storage, upload)
        raise


async def _discard(storage: Storage, upload: Upload) -> None:
    if upload.is_stored:
        with suppress(UnavailableError):  # what cannot be removed now has no row, and is swept
            await storage.delete(upload.key)


async def _receive(
    request: web.Request,
    storage: Storage,
    upload: Upload,
    *,
    parts: frozenset[str],
    limit: Limit,
    idle_seconds: float,
) -> None:
    try:
        reader = MultipartReader(request.headers, cast("StreamReader", _Lines(request.content)))
        while (part := await paced(reader.next(), idle_seconds)) is not None:
            if isinstance(part, MultipartReader):
                raise _wrong("", "nested_multipart", "Parts may not be multipart themselves.")
            name = part.name or ""
            if name not in parts:
                raise _wrong(name, "unknown_field", f"Unknown part. Known: {', '.join(sorted(parts))}.")
            if name in upload.values or (name == "file" and upload.is_stored):
                raise _wrong(name, "duplicate_field", "This part is given twice.")
            if name == "file":
                await _store(part, storage, upload, limit=limit, idle_seconds=idle_seconds)
            else:
                upload.values[name] = await _text(part, idle_seconds)
    except (ValueError, LookupError, AssertionError, HttpProcessingError):
        # LookupError: `filename*` names a charset that does not exist.
        message = "The multipart body cannot be read. Check its boundary, its headers, and that text is UTF-8."
        raise BadRequestError(message, code="invalid_multipart") from None
    if not upload.is_stored:
        raise _wrong("file", "required", "There is no part named file.")


async def _store(part: BodyPartReader, storage: Storage, upload: Upload, *, limit: Limit, idle_seconds: float) -> None:
    upload.filename = (part.filename or "upload")[:255]
    upload.is_stored = True
    digest, longest, head = hashlib.sha256(), 0, b""
    async with storage.writing(upload.key) as writer:
        while chunk := await paced(part.read_chunk(CHUNK_BYTES), idle_seconds):
            if len(head) < HEAD_BYTES:
                head += bytes(chunk[:HEAD_BYTES])
                longest = limit(head)
            upload.size += len(chunk)
            if upload.size > longest:
                raise TooLargeError(f"The file is larger than {longest} bytes.")
            digest.update(chunk)
            await writer.write(bytes(chunk))
    upload.digest = digest.hexdigest()


async def _text(part: BodyPartReader, idle_seconds: float) -> str:
    raw = bytearray()
    while chunk := await paced(part.read_chunk(CHUNK_BYTES), idle_seconds):
        raw += chunk
        if len(raw) > MAX_PART_BYTES:
            raise TooLargeError(f"The part {part.name} is larger than {MAX_PART_BYTES} bytes.")
    return raw.decode("utf-8")


def _wrong(name: str, code: str, message: str) -> InvalidError:
    return InvalidError("The form is not valid.", errors=[FieldError(f"/{name}", code, message)])

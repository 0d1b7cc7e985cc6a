"""Put, read and delete blobs by key. Keys are ours (`imports/<id>`), never a caller's file name."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Protocol, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from scaicms.kit.errors import UnavailableError
from scaicms.settings import Settings

CHUNK_BYTES = 1024 * 1024
PIECE_BYTES = 256 * 1024
LOCAL_PART_BYTES = 256 * 1024
REMOTE_PART_BYTES = 5 * 1024 * 1024
"""S3 takes no smaller parts of an upload but the last."""
WRITES = 2
"""Parts of an upload on their way at a time."""


class BlobWriter(Protocol):
    """An open upload; what is not closed was never stored."""

    async def write(self, data: bytes) -> object: ...


class StorageAwayError(UnavailableError):
    message = "The file storage cannot be reached; try again."


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        raise StorageAwayError from error


class Storage:
    """Blobs of one store. What it cannot do because the store is away raises `StorageAwayError`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._part_bytes = LOCAL_PART_BYTES if isinstance(store, LocalStore) else REMOTE_PART_BYTES

    @asynccontextmanager
    async def writing(self, key: str) -> AsyncIterator[BlobWriter]:
        """Stream a blob in; leaving with an exception discards it."""
        writer = obstore.open_writer_async(self._store, key, buffer_size=self._part_bytes, max_concurrency=WRITES)
        with _reached():
            try:
                yield cast(BlobWriter, writer)
            except BaseException:
                # What was begun stays beside the blobs until it is ended; then it is one, and can be removed.
                await writer.close()
                await self.delete(key)
                raise
            await writer.close()

    async def download(self, key: str, target: Path) -> None:
        """Stream a blob into a local file.

        Raises:
            FileNotFoundError: there is no such blob.
        """
        with _reached(), target.open("wb") as file:
            result = await obstore.get_async(self._store, key)
            async for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
                file.write(chunk)

    async def upload(self, key: str, source: Path) -> None:
        """Stream a local file into a blob."""
        async with self.writing(key) as writer:
            with source.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    await writer.write(chunk)

    async def reading(self, key: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """The bytes of a blob from `start` up to before `end`, in pieces.

        Raises:
            FileNotFoundError: there is no such blob.
        """
        # One request for each piece: a stream reads ahead of a slow client, and holds what it read.
        for place in range(start, end, PIECE_BYTES):
            with _reached():
                piece = await obstore.get_range_async(self._store, key, start=place, end=min(place + PIECE_BYTES, end))
            yield bytes(piece)

    async def copy(self, key: str, target: str) -> None:
        """The same bytes under another key, in place of what is there.

        Raises:
            FileNotFoundError: there is no such blob.
        """
        with _reached():
            await obstore.copy_async(self._store, key, target)

    async def delete(self, key: str) -> None:
        """Remove a blob; one that is not there is removed already."""
        with suppress(FileNotFoundError), _reached():
            await obstore.delete_async(self._store, key)


def open_storage(settings: Settings) -> Storage:
    """The store that `STORAGE_URL` names (`s3://bucket/prefix`, `gs://…`, `az://…`), else a folder in the home."""
    if settings.storage_url and not settings.storage_url.startswith("file:"):
        return Storage(from_url(settings.storage_url))
    folder = Path(settings.storage_url.removeprefix("file://")) if settings.storage_url else settings.home / "files"
    folder.mkdir(parents=True, exist_ok=True)
    return Storage(LocalStore(prefix=folder.resolve()))

"""Put, read and delete blobs by key. Keys are ours (`imports/<id>`), never a caller's file name."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from scaicms.infra.storage.blobs import Blob, remove_local, walk
from scaicms.kit.errors import NO_SPACE, StorageFullError, UnavailableError, is_disk_full
from scaicms.settings import Settings

CHUNK_BYTES = 1024 * 1024
PIECE_BYTES = 256 * 1024
LOCAL_PART_BYTES = 256 * 1024
REMOTE_PART_BYTES = 5 * 1024 * 1024
"""S3 takes no smaller parts of an upload but the last."""
WRITES = 2
"""Parts of an upload on their way at a time."""
REQUEST_SECONDS = 10.0
"""How long one request to the store may take, its retries included; the largest part of an upload is one."""
COPY_SECONDS = 60.0
RETRIES = 2


class BlobWriter(Protocol):
    """An open upload; what is not closed was never stored."""

    async def write(self, data: bytes) -> object: ...


class StorageAwayError(UnavailableError):
    message = "The file storage cannot be reached; try again."


@asynccontextmanager
async def _reached(seconds: float = REQUEST_SECONDS) -> AsyncIterator[None]:
    """Bound one request, and turn what obstore raises into `StorageAwayError`; its writers raise bare `OSError`.

    Raises:
        FileNotFoundError: there is no such blob.
        StorageFullError: the disk below a local store is full.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:  # TimeoutError is an OSError
        if _is_full(error):
            raise StorageFullError from error
        raise StorageAwayError from error


def _is_full(error: Exception) -> bool:
    """obstore gives the number of the error as text alone."""
    return is_disk_full(error) or any(f"(os error {number})" in str(error) for number in NO_SPACE)


class _Writer:
    """An open upload of obstore."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    async def write(self, data: bytes) -> object:
        async with _reached():
            return await self._writer.write(data)

    async def close(self) -> None:
        async with _reached():
            await self._writer.close()


class Storage:
    """Blobs of one store. What it cannot do because the store is away raises `StorageAwayError`."""

    def __init__(self, store: ObjectStore, folder: Path | None = None) -> None:
        self._store = store
        self.folder = folder
        """Where the blobs lie, if that is a local folder."""
        self._part_bytes = LOCAL_PART_BYTES if isinstance(store, LocalStore) else REMOTE_PART_BYTES

    @asynccontextmanager
    async def writing(self, key: str) -> AsyncIterator[BlobWriter]:
        """Stream a blob in; leaving with an exception discards it."""
        opened = obstore.open_writer_async(self._store, key, buffer_size=self._part_bytes, max_concurrency=WRITES)
        writer = _Writer(opened)
        try:
            yield writer
        except StorageAwayError:
            raise  # nothing can be removed either
        except BaseException:
            # What was begun stays beside the blobs until it is ended; then it is one, and can be removed.
            with suppress(StorageAwayError, StorageFullError):
                await writer.close()
            with suppress(StorageAwayError):
                await self.delete(key)
                await self._remove_empty_folder(key)
            raise
        try:
            await writer.close()
        except StorageFullError:
            await self._remove_empty_folder(key)
            raise

    async def _remove_empty_folder(self, key: str) -> None:
        """What a failed upload has made in a local folder; other stores have no folders."""
        if self.folder is not None:
            for parent in list((self.folder / key).parents)[: key.count("/")]:
                with suppress(OSError):
                    await asyncio.to_thread(parent.rmdir)

    async def download(self, key: str, target: Path) -> None:
        """Stream a blob into a local file.

        Raises:
            FileNotFoundError: there is no such blob.
            OSError: the local file cannot be written.
        """
        async with _reached():
            result = await obstore.get_async(self._store, key)
        chunks = aiter(result.stream(min_chunk_size=CHUNK_BYTES))
        with target.open("wb") as file:
            while True:
                async with _reached():
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                await asyncio.to_thread(file.write, chunk)

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
            async with _reached():
                piece = await obstore.get_range_async(self._store, key, start=place, end=min(place + PIECE_BYTES, end))
            yield bytes(piece)

    async def copy(self, key: str, target: str) -> None:
        """The same bytes under another key, in place of what is there.

        Raises:
            FileNotFoundError: there is no such blob.
        """
        async with _reached(COPY_SECONDS):
            await obstore.copy_async(self._store, key, target)

    async def scan(self, prefix: str, *, after: str = "", limit: int = 1000) -> AsyncIterator[list[Blob]]:
        """What lies below a prefix (`assets/`) behind the key `after`, in lists of up to `limit`, always in the
        same order: blobs, and in a local folder what killed processes have left."""
        if self.folder is not None:
            found = walk(self.folder, prefix, after)
            while batch := await asyncio.to_thread(lambda: list(islice(found, limit))):
                yield batch
            return
        listed = aiter(obstore.list(self._store, prefix, offset=after or None, chunk_size=limit))
        while True:
            async with _reached():
                metas = await anext(listed, None)
            if metas is None:
                return
            yield [Blob(meta["path"], meta["size"], meta["last_modified"]) for meta in metas]

    async def remove(self, blobs: Sequence[Blob]) -> None:
        """Remove what `scan` has found; what is gone by now is removed already."""
        if self.folder is not None:
            await asyncio.to_thread(remove_local, self.folder, blobs)
        elif blobs:
            async with _reached(COPY_SECONDS):
                await obstore.delete_async(self._store, [blob.key for blob in blobs])

    async def delete(self, key: str) -> None:
        """Remove a blob; one that is not there is removed already."""
        with suppress(FileNotFoundError):
            async with _reached():
                await obstore.delete_async(self._store, key)


def open_storage(settings: Settings) -> Storage:
    """The store that `STORAGE_URL` names (`s3://bucket/prefix`, `gs://…`, `az://…`), else a folder in the home."""
    if settings.storage_url and not settings.storage_url.startswith("file:"):
        return Storage(
            from_url(
                settings.storage_url,
                retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=REQUEST_SECONDS)},
            )
        )
    folder = Path(settings.storage_url.removeprefix("file://")) if settings.storage_url else settings.home / "files"
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    return Storage(LocalStore(prefix=folder, automatic_cleanup=True), folder)

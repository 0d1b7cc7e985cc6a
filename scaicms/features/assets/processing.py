"""Reading files, as workers do it: what they are, and smaller pictures of images."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from scaicms.features.assets import file_repository, permissions
from scaicms.features.assets.events import AssetFailed, AssetProcessed
from scaicms.features.assets.file_repository import Unread
from scaicms.features.assets.jobs import READ_FILE
from scaicms.features.assets.service import key_of
from scaicms.infra import db
from scaicms.infra.events import record_many
from scaicms.infra.jobs import JobYieldError, TransientJobError
from scaicms.infra.media import Facts, InterruptedReadError, MediaReader, UnreadableError
from scaicms.infra.services import Service, Services
from scaicms.infra.storage.blobs import Blob
from scaicms.infra.storage.sweep import Swept, sweep
from scaicms.infra.temporary import job_folder
from scaicms.kit.errors import StorageFullError, UnavailableError
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

MAX_ATTEMPTS = 3
"""How often a file may end the process that reads it, or the worker, before it counts as one that cannot be read."""
RETRY_SECONDS = 1.0
PROCESSES = max(1, (os.cpu_count() or 2) // 2)
"""That read at a time in one worker: each may take a gigabyte."""
WAIT_SECONDS = READ_FILE.seconds / 3
UNKNOWN_TYPE = "application/octet-stream"
MAX_PROBLEM_CHARACTERS = 300
VARIANTS = ("small", "medium", "large")


class FileService(Service):
    """Files are read once; reading one again writes the same."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._storage = services.resources.storage
        self._reader = MediaReader()
        self._turns = asyncio.Semaphore(PROCESSES)

    async def read(self, principal: Principal, site: Site, file_id: UUID, job_id: UUID) -> str | None:
        """Find out what a file is; how that ended, or None where there was nothing to do.

        Raises:
            TransientJobError: the process that read it was ended; try again.
            JobYieldError: as many are being read as may be.
        """
        principal.require(permissions.CREATE.code, site.id)
        async with self._turn():
            return await self._begin(principal, site, file_id, job_id)

    async def _begin(self, principal: Principal, site: Site, file_id: UUID, job_id: UUID) -> str | None:
        async with db.transaction():
            file = await file_repository.begin(site.id, file_id, job_id)
        if file is None:
            return None
        if file.attempts > MAX_ATTEMPTS:
            return await self._fail(principal, site, file_id, "Reading it was begun and broken off several times.")
        with job_folder() as folder:
            try:
                return await self._read(principal, site, file_id, file, Path(folder))
            except UnreadableError as error:
                return await self._fail(principal, site, file_id, str(error))
            except FileNotFoundError:
                return await self._fail(principal, site, file_id, "The file is missing in the storage.")
            except (UnavailableError, StorageFullError, OSError):
                # An outage or a full disk says nothing about the file.
                async with db.transaction():
                    await file_repository.give_back(site.id, file_id)
                raise
            except InterruptedReadError as error:
                raise TransientJobError(f"what reads files {error}", retry_after=RETRY_SECONDS) from error

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise JobYieldError from None
        try:
            yield
        finally:
            self._turns.release()

    async def remove(self, principal: Principal, file_id: UUID) -> None:
        """Away with bytes that nothing points to any more."""
        principal.require(permissions.DELETE.code)
        for variant in (None, *VARIANTS):
            await self._storage.delete(key_of(file_id, variant))

    def sweep(
        self,
        principal: Principal,
        *,
        grace: timedelta | None = None,
        dry_run: bool = False,
        resume: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[tuple[Swept, Sequence[Blob]]]:
        """Remove stored files of every kind that no row names; see `infra.storage.sweep`."""
        principal.require(permissions.DELETE.code)
        grace = grace or timedelta(hours=self.resources.settings.storage_grace_hours)
        return sweep(self._storage, grace=grace, dry_run=dry_run, resume=resume)

    async def _read(self, principal: Principal, site: Site, file_id: UUID, file: Unread, folder: Path) -> str:
        path, made = folder / "file", folder / "made"
        made.mkdir()
        await self._storage.download(key_of(file_id), path)
        facts = await self._reader.read(path, made, filename=file.filename, raster_type=file.raster_type)
        for variant in facts.variants:
            await self._storage.upload(key_of(file_id, variant.name), made / f"{variant.name}.webp")
        if not await self._finish(principal, site, file_id, facts):
            # Deleted meanwhile, and the variants came after what removed the rest.
            await self.remove(principal, file_id)
        return "ready"

    async def _finish(self, principal: Principal, site: Site, file_id: UUID, facts: Facts) -> bool:
        async with db.transaction():
            if not await file_repository.finish(site.id, file_id, facts):
                return False
            await record_many(
                [
                    AssetProcessed(
                        site_id=site.id, aggregate_id=asset_id, filename=name, content_type=facts.content_type
                    )
                    for asset_id, name in await file_repository.assets_of(file_id)
                ],
                actor=principal,
            )
        return True

    async def give_up(self, principal: Principal, site: Site, file_id: UUID, problem: str) -> None:
        """Write that nobody will find out what a file is, because its job was given up."""
        principal.require(permissions.CREATE.code, site.id)
        await self._fail(principal, site, file_id, problem)

    async def _fail(self, principal: Principal, site: Site, file_id: UUID, problem: str) -> str:
        async with db.transaction():
            if not await file_repository.fail(site.id, file_id, problem[:MAX_PROBLEM_CHARACTERS], UNKNOWN_TYPE):
                return "failed"
            await record_many(
                [
                    AssetFailed(site_id=site.id, aggregate_id=asset_id, filename=name, problem=problem)
                    for asset_id, name in await file_repository.assets_of(file_id)
                ],
                actor=principal,
            )
        return "failed"

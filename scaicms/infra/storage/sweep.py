"""Removing bytes that no row names: of requests and workers that died between the file and its row.

A blob is removed when it is older than the grace period and its feature says that nothing names it. What is being
written is younger: a file's time is that of its last write.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pkgutil import resolve_name
from typing import Any

from prometheus_client import Counter

from scaicms.infra.storage.blobs import Blob
from scaicms.infra.storage.store import Storage
from scaicms.kit.clock import utcnow

BATCH = 1000
MIN_GRACE = timedelta(hours=1)

_bytes = Counter("scaicms_storage_swept_bytes", "Bytes removed from the file store because no row named them", ["kind"])
_blobs = Counter("scaicms_storage_swept_files", "Files removed from the file store because no row named them", ["kind"])

InUse = Callable[[Sequence[str]], Awaitable[Collection[str]]]
Checkpoint = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """One kind of stored files, as a feature declares it. `in_use` is where the function is (`module:attribute`) that
    gives those of some keys that rows name, and those that it does not know."""

    kind: str
    prefix: str
    in_use: str


_declared: list[StoredFiles] = []


def declare_files(kinds: Sequence[StoredFiles]) -> None:
    """Make the stored files of all features known; called once at start-up."""
    _declared[:] = kinds


@dataclass(slots=True)
class Swept:
    """How far a sweep is, and what it has removed, or would remove in a dry run."""

    kind: int = 0
    after: str = ""
    seen: int = 0
    files: int = 0
    parts: int = 0
    folders: int = 0
    bytes: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)
    """Bytes of each kind."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


async def sweep(
    storage: Storage,
    *,
    grace: timedelta,
    dry_run: bool = False,
    resume: Mapping[str, Any] | None = None,
) -> AsyncIterator[tuple[Swept, Sequence[Blob]]]:
    """Compare store and rows, batch by batch; gives how far it is and what the batch has removed.

    Raises:
        ValueError: the grace period is shorter than `MIN_GRACE`.
    """
    if grace < MIN_GRACE:
        raise ValueError(f"The grace period is at least {MIN_GRACE}.")
    swept = Swept(**resume) if resume else Swept()
    while swept.kind < len(_declared):
        files = _declared[swept.kind]
        async for batch in storage.scan(files.prefix, after=swept.after, limit=BATCH):
            gone = await _without_row(files, [blob for blob in batch if blob.modified < utcnow() - grace])
            if not dry_run:
                await storage.remove(gone)
            _count(swept, files, batch, gone, dry_run=dry_run)
            yield swept, gone
        swept.kind, swept.after = swept.kind + 1, ""


async def _without_row(files: StoredFiles, old: Sequence[Blob]) -> list[Blob]:
    in_use: InUse = resolve_name(files.in_use)
    keys = [blob.key for blob in old if blob.kind == "blob"]
    named = set(await in_use(keys)) if keys else set()
    return [blob for blob in old if blob.kind != "blob" or blob.key not in named]


def _count(swept: Swept, files: StoredFiles, batch: Sequence[Blob], gone: Sequence[Blob], *, dry_run: bool) -> None:
    swept.after = batch[-1].key
    number = sum(blob.size for blob in gone)
    swept.seen += len(batch)
    swept.files += sum(blob.kind == "blob" for blob in gone)
    swept.parts += sum(blob.kind == "part" for blob in gone)
    swept.folders += sum(blob.kind == "folder" for blob in gone)
    swept.bytes += number
    swept.by_kind[files.kind] = swept.by_kind.get(files.kind, 0) + number
    if not dry_run:
        _bytes.labels(files.kind).inc(number)
        _blobs.labels(files.kind).inc(sum(blob.kind != "folder" for blob in gone))

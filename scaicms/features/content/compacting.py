"""Thinning out the past: all of it for some time, then the last version of each day."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from scaicms.features.content import compaction_repository, hold_repository
from scaicms.infra import db
from scaicms.infra.services import Service
from scaicms.kit.principal import EVERYTHING, Principal

BATCH = 1_000

Checkpoint = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Progress:
    """Where a run of compaction is, and how many versions have gone so far."""

    table: int = 0
    after: int = 0
    removed: int = 0


class CompactionService(Service):
    """Work of the house: of all sites, for nobody in particular."""

    async def batches(
        self, principal: Principal, *, checkpoint: Checkpoint, resume: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Progress]:
        """Go through the past, batch by batch; `checkpoint` runs in the transaction of each, with what `resume` takes.
        Nothing goes where `history_days` is 0."""
        principal.require(EVERYTHING)
        progress = Progress(**resume) if resume else Progress()
        days = self.resources.settings.history_days
        while days and progress.table < len(compaction_repository.TABLES):
            async with db.transaction():
                # Who is told that an item is held shall not lose anything of it a moment later.
                await hold_repository.keep_others_out()
                found = await compaction_repository.compact(
                    compaction_repository.TABLES[progress.table], after=progress.after, limit=BATCH, days=days
                )
                progress.removed += found.removed
                if found.last is None:
                    progress.table, progress.after = progress.table + 1, 0
                else:
                    progress.after = found.last
                await checkpoint(asdict(progress))
            yield progress

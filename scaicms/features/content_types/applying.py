"""Applying a plan, as workers do it.

Every row that changes is made anew beside the old one, in small transactions; then all are exchanged in one, together
with the version of the type. Readers see the old rows or the new ones, never some of both.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal
from uuid import UUID

from asyncpg import LockNotAvailableError, Record

from scaicms.features.auth.service import Authenticator
from scaicms.features.content_types import repository, stored
from scaicms.features.content_types.changes import changes
from scaicms.features.content_types.definitions import compile_row, fields_of, stored_form
from scaicms.features.content_types.errors import PlanFailsError, PlanStaleError, TypeHeldError
from scaicms.features.content_types.events import ContentTypePlanFailed, ContentTypeRewritten, ContentTypeUpdated
from scaicms.features.content_types.fields import FieldDefinition, pointers
from scaicms.features.content_types.indexing import ask_for_indexes
from scaicms.features.content_types.legal_holds import require_no_loss
from scaicms.features.content_types.models import ContentTypeRow, SchemaPlanRow
from scaicms.features.content_types.remaking import Remaker
from scaicms.features.content_types.reshaping import settled
from scaicms.features.content_types.service import TOPIC
from scaicms.infra import db
from scaicms.infra.db.notices import notify
from scaicms.infra.db.typed_rows import TypedRows
from scaicms.infra.events import record
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import FieldError
from scaicms.kit.principal import SYSTEM
from scaicms.kit.turns import in_turns

BATCH = 200
FORGET_BATCH = 5_000
MAX_SAID = 20
NOT_UNIQUE = "not_unique"
# How long the exchange waits for writers to finish; longer, and all of them would wait behind it.
LOCK_SECONDS = 1.0
# After each batch, a pause as long as the batch took: half of a worker, half of its share of the database.
MAX_PAUSE_SECONDS = 1.0

Checkpoint = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Progress:
    """How far a plan is; shown with its job, and where the next turn goes on."""

    phase: Literal["prepare", "exchange", "clean", "done"] = "prepare"
    table: int = 0
    after: str | None = None
    done: int = 0
    total: int = 0
    changed: int = 0
    version: int | None = None


class _BehindError(Exception):
    """More rows were written while others were prepared than may be made up for while writers wait."""


class ApplyService(Service):
    """Applies plans. Works for who asked for it; whether they may was checked when they asked."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._authenticator = services.get(Authenticator)

    async def steps(
        self, plan_id: UUID, *, checkpoint: Checkpoint, resume: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Progress]:
        """Go on with a plan, batch by batch; `checkpoint` runs in each batch's transaction.

        Raises:
            PlanStaleError: the plan or its type is gone, or no longer what it was.
            PlanFailsError: rows do not fit; nothing has changed.
            TypeHeldError: an item was put on legal hold that could lose values; nothing has changed.
        """
        progress = Progress(**resume) if resume else Progress()
        while progress.phase != "done":
            run = await _Run.load(plan_id, self._authenticator)
            started = time.monotonic()
            try:
                await run.step(progress, checkpoint)
            except (PlanFailsError, TypeHeldError) as error:
                await run.fail(error.in_words)
                raise
            yield progress
            await asyncio.sleep(min(time.monotonic() - started, MAX_PAUSE_SECONDS))

    async def give_up(self, plan_id: UUID, job_id: UUID, reason: str) -> None:
        """Write that a plan is not applied because its job was given up, unless it is applied already."""
        found = await repository.plan_of_job(plan_id)
        if found is not None and found[0].state == "applying" and found[0].job_id == job_id:
            await _Run(*found, self._authenticator).fail(reason)


class _Run:
    """One step of a plan, with the type as it is."""

    def __init__(self, plan: SchemaPlanRow, row: ContentTypeRow, authenticator: Authenticator) -> None:
        self.plan, self.row, self._authenticator = plan, row, authenticator
        self.proposal: tuple[FieldDefinition, ...] = fields_of(plan.proposal)

    @classmethod
    async def load(cls, plan_id: UUID, authenticator: Authenticator) -> "_Run":
        found = await repository.plan_of_job(plan_id)
        if found is None:
            raise PlanStaleError
        return cls(*found, authenticator)

    async def step(self, progress: Progress, checkpoint: Checkpoint) -> None:
        if progress.phase == "prepare":
            await self._prepare(progress, checkpoint)
        elif progress.phase == "exchange":
            await self._exchange_or_catch_up(progress, checkpoint)
        else:
            await self._clean(progress, checkpoint)

    async def fail(self, reason: str) -> None:
        """The plan is not applied, and what was prepared for it goes."""
        async with db.transaction():
            self.plan.state = "failed"
            await self.plan.save(update_fields=["state"])
            await stored.forget([self.plan.id], 1_000_000)
            fact = ContentTypePlanFailed(
                site_id=self.row.site_id,
                aggregate_id=self.row.id,
                key=self.row.key,
                plan_id=self.plan.id,
                error=reason,
            )
            await record(fact, actor=SYSTEM)

    async def _prepare(self, progress: Progress, checkpoint: Checkpoint) -> None:
        tables = stored.tables()
        if progress.total == 0:
            progress.total = sum([await stored.count(table, self.row.id) for table in tables])
        table = tables[progress.table]
        async with db.transaction():
            rows, is_last = await self._stage(table, progress.after)
            progress.done += len(rows)
            if not is_last:
                progress.after = rows[-1]["key"]
            else:
                progress.table, progress.after = progress.table + 1, None
            if progress.table == len(tables):
                progress.phase = "exchange"
            await checkpoint(asdict(progress))

    async def _stage(self, table: TypedRows, after: str | None = None) -> tuple[list[Record], bool]:
        """Make the next rows anew that were not yet, or were written since; which, and whether there are no more."""
        if self.plan.state != "applying" or self.plan.base_version != self.row.version:
            raise PlanStaleError
        remaker = await asyncio.to_thread(self._remaker)
        limit = remaker.levelling.rows_a_page(BATCH)
        made = await remaker.page(table, self.plan.id, after=after, limit=limit)
        failing = [(row, error) for row, remade in made for error in remade.errors]
        if failing:
            raise _fails([error for _, error in failing])
        new_rows = [await remaker.new_row(table, row, remade) async for row, remade in in_turns(made)]
        await stored.stage(table, self.plan.id, new_rows)
        return [row for row, _ in made], len(made) < limit

    def _remaker(self) -> Remaker:
        old, new = compile_row(self.row), compile_row(self.row, self.proposal)
        found: dict[str, Any] = self.plan.found  # type: ignore[assignment]  # JSON column, written by planning alone
        return Remaker(old, new, self.proposal, undone=self.plan.undoes, order=found.get("locales", ()))

    async def _exchange_or_catch_up(self, progress: Progress, checkpoint: Checkpoint) -> None:
        for table in stored.tables():
            async with db.transaction():
                if not (await self._stage(table))[1]:
                    return
        try:
            async with db.transaction():
                await stored.keep_writers_out(self.row.id, LOCK_SECONDS)
                await self._exchange(progress)
                await checkpoint(asdict(progress))
        except (LockNotAvailableError, _BehindError):
            return  # the next step catches up and tries again

    async def _exchange(self, progress: Progress) -> None:
        row = await repository.lock_type(self.row.id)
        if row is None or row.version != self.plan.base_version:
            raise PlanStaleError
        for table in stored.tables():
            if not (await self._stage(table))[1]:
                raise _BehindError
        found: dict[str, Any] = self.plan.found  # type: ignore[assignment]  # JSON column, written by planning alone
        await require_no_loss(self.row.id, found)  # of items that were put on hold since the plan was handed over
        names = {field.renamed_from: field.key for field in self.proposal if field.renamed_from is not None}
        for table in stored.tables():
            changed = await stored.exchange(table, self.plan.id, self.row.site_id, names)
            progress.changed += 0 if table.past else changed
        remaker = await asyncio.to_thread(self._remaker)
        if remaker.levelling or self.plan.undoes is not None:
            await stored.settle(stored.tables(), self.plan.id, remaker.levelled_in_public)
        await self._check_unique(row)
        await self._switch(row, progress.changed)
        progress.phase, progress.version = "clean", row.version

    async def _check_unique(self, row: ContentTypeRow) -> None:
        for change in changes(fields_of(row.definitions), self.proposal):
            if not change.makes_unique or change.new_key is None:
                continue
            for table in stored.present_tables():
                if not table.private:
                    continue
                alike = await stored.duplicates(table, row.id, change.new_key, 20, localized=change.localized)
                if alike:
                    wrong = FieldError(f"/data/{change.new_key}", NOT_UNIQUE, "Another item has this value.")
                    raise _fails([wrong])

    async def _switch(self, row: ContentTypeRow, changed: int) -> None:
        actor = await self._authenticator.principal_of(self.plan.actor_kind, self.plan.actor_id)
        before = pointers(fields_of(row.definitions))
        await ask_for_indexes(row.site_id, row.id, fields_of(row.definitions), self.proposal)
        row.definitions = stored_form(settled(self.proposal))
        row.version += 1
        row.layout += changed > 0
        row.updated_at = utcnow()
        await row.save()
        await repository.add_version(row, self.proposal, self.plan.id, actor)
        self.plan.state = "applied"
        await self.plan.save(update_fields=["state"])
        fact = ContentTypeUpdated(site_id=row.site_id, aggregate_id=row.id, key=row.key, schema_version=row.version)
        await record(fact, actor=actor)
        if changed or pointers(fields_of(row.definitions)) != before:
            await record(ContentTypeRewritten(site_id=row.site_id, aggregate_id=row.id, key=row.key), actor=actor)
        await notify(TOPIC, str(row.site_id))

    async def _clean(self, progress: Progress, checkpoint: Checkpoint) -> None:
        """Only the last applied plan can be undone: what older ones would need goes."""
        async with db.transaction():
            others = await repository.other_plans(self.row.id, self.plan.id)
            if await stored.forget(others, FORGET_BATCH) < FORGET_BATCH:
                progress.phase = "done"
            await checkpoint(asdict(progress))


def _fails(errors: Sequence[FieldError]) -> PlanFailsError:
    """The error for readers of the job: it names fields and no items. A new plan names the items a caller may read."""
    # Other messages may quote a value.
    places = sorted({f"{e.pointer} ({e.message if e.code == NOT_UNIQUE else e.code})" for e in errors})[:MAX_SAID]
    return PlanFailsError(f"{PlanFailsError.message} Where: {', '.join(places)}.")

"""The dry run of a plan over the rows that are stored."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.content_types import stored
from scaicms.features.content_types.changes import Change, changes
from scaicms.features.content_types.definitions import compile_row, fields_of
from scaicms.features.content_types.fields import FieldDefinition
from scaicms.features.content_types.models import ContentTypeRow
from scaicms.features.content_types.remaking import Remade, Remaker
from scaicms.infra.db.typed_rows import TypedRows
from scaicms.kit.errors import FieldError

BATCH = 100
MAX_CHECKED = 20_000
"""Rows of a table that a dry run looks at; applying looks at all of them."""
MAX_FAILING = 100
# Preparing a row is reading it, remaking it, writing it beside the old one and exchanging it, at half speed.
_APPLY_FACTOR = 4


@dataclass(slots=True)
class Finding:
    """What the dry run says of one change."""

    change: Change
    rows: int = 0
    failing: list[dict[str, Any]] = field(default_factory=list)
    failing_total: int = 0
    items: set[UUID] = field(default_factory=set)
    """Those whose locales differ."""
    loses: bool = False

    def fail(self, table: TypedRows, row: Record, error: FieldError) -> None:
        self.failing_total += 1
        if len(self.failing) < MAX_FAILING:
            place = {"item_id": str(row["item_id"]), "locale": row["locale"], "row": table.name}
            keys = {self.change.old_key, error.pointer.split("/")[2]} - {None}
            self.failing.append({**place, **error.as_dict(), "keys": sorted(map(str, keys))})

    def as_dict(self) -> dict[str, Any]:
        return {
            "op": self.change.op,
            "field": self.change.field,
            "what": self.change.what,
            "destructive": self.change.destructive or self.loses,
            "rows": self.rows,
            "items": len(self.items),
            "failing": self.failing,
            "failing_total": self.failing_total,
            # Readers never wait. Who writes items of the type does while rows are exchanged, the last step.
            "lock": "none" if self.change.safe and self.rows == 0 else "writes",
        }


class Trial:
    """A proposal, tried row by row."""

    def __init__(
        self, row: ContentTypeRow, proposal: Sequence[FieldDefinition], undone: UUID | None, order: Sequence[str]
    ) -> None:
        self._row, self._order = row, list(order)
        old = fields_of(row.definitions)
        self.findings = [Finding(change) for change in changes(old, proposal)]
        self._remaker = Remaker(compile_row(row), compile_row(row, proposal), proposal, undone=undone, order=order)

    async def run(self, plan_id: UUID) -> dict[str, Any]:
        """The report, as it is stored and shown."""
        started, checked, total = time.perf_counter(), 0, 0
        needs_rows = any(not f.change.safe or f.change.op == "add" for f in self.findings)
        for table in stored.present_tables() if needs_rows else ():
            total += await stored.count(table, self._row.id)
            checked += await self._table(table, plan_id)
            await self._duplicates(table)
        spent = time.perf_counter() - started
        for finding in self.findings:
            # What was not looked at may be lost.
            finding.loses |= finding.change.op == "share" and checked < total
        return {
            "changes": [finding.as_dict() for finding in self.findings],
            "locales": self._order,
            "rows_total": total,
            "rows_checked": checked,
            "seconds": round(spent * _APPLY_FACTOR * (total / checked if checked else 1), 1),
        }

    async def _table(self, table: TypedRows, plan_id: UUID) -> int:
        after, checked, limit = None, 0, self._remaker.levelling.rows_a_page(BATCH)
        while checked < MAX_CHECKED:
            made = await self._remaker.page(table, plan_id, after=after, limit=limit)
            for row, remade in made:
                self._take(table, row, remade)
            checked += len(made)
            if len(made) < limit:
                break
            after = made[-1][0]["key"]
            # Checking is work of this process: let others have a turn.
            await asyncio.sleep(0)
        return checked

    def _take(self, table: TypedRows, row: Record, remade: Remade) -> None:
        for finding in self.findings:
            change = finding.change
            if change.op == "add":
                finding.rows += change.new_key in remade.after and change.new_key not in remade.before
            else:
                finding.rows += not change.safe and change.old_key in remade.before
            if change.op == "share" and change.new_key in remade.levelled:
                finding.items.add(row["item_id"])
                finding.loses |= change.new_key in remade.lost
        for error in remade.errors:
            self._finding_of(error).fail(table, row, error)

    def _finding_of(self, error: FieldError) -> Finding:
        key = error.pointer.split("/")[2]
        unsafe = [finding for finding in self.findings if not finding.change.safe]
        return next((finding for finding in unsafe if finding.change.new_key == key), unsafe[0])

    async def _duplicates(self, table: TypedRows) -> None:
        for finding in self.findings:
            change = finding.change
            if table.private and change.makes_unique and change.old_key is not None:
                order = self._order if change.op == "share" else None
                for row in await stored.duplicates(
                    table, self._row.id, change.old_key, MAX_FAILING, localized=change.localized, order=order
                ):
                    message = "Another item has this value."
                    finding.fail(table, row, FieldError(f"/data/{change.new_key}", "not_unique", message))

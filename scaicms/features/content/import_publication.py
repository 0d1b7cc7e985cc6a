"""Publishing what an import brings in as far as its source says that it is public."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from scaicms.features.content import schedule_repository
from scaicms.features.content.publishing import PublishingService
from scaicms.features.content.reading.mapping import Mapping
from scaicms.features.content.reading.marks import Verdict, read_marks
from scaicms.features.content.reading.rows import Row
from scaicms.features.content.scheduling import Order, ScheduleService
from scaicms.kit.errors import InvalidError
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


class ImportedPublication:
    """Publication of the rows of one import, by the clock of the database."""

    def __init__(
        self, publishing: PublishingService, schedule: ScheduleService, principal: Principal, site: Site
    ) -> None:
        self._publishing = publishing
        self._schedule = schedule
        self._principal = principal
        self._site = site
        self._now: datetime | None = None

    async def set_time(self) -> None:
        """Compare dates with this moment from now on."""
        self._now = await schedule_repository.now()

    def verdict(self, row: Row, fields: Iterable[tuple[str, str]], mapping: Mapping | None, container: str) -> Verdict:
        """What is to become of the row, as it says itself."""
        if self._now is None:
            raise RuntimeError("set_time() comes first")
        marks = read_marks(row, fields, mapping, container)
        return replace(marks.verdict(self._now), keys=frozenset(marks.keys))

    async def apply(self, item_id: UUID, locale: str, verdict: Verdict, *, is_published: bool) -> None:
        """Make the locale of an item that was there what its row says. What is public stays so where that is unclear.

        Times that were set for this locale alone are replaced.
        """
        await self._schedule.cancel_for(self._principal, self._site, item_id, locale)
        if verdict.state == "publish":
            await self._publishing.publish(self._principal, self._site, item_id, locales=[locale])
        elif is_published and verdict.is_certain:
            await self._publishing.unpublish(self._principal, self._site, item_id, locales=[locale])
        await self.schedule(item_id, locale, verdict)

    async def is_public_by(self, item_id: UUID, locale: str, moment: datetime | None) -> bool:
        """Whether it is scheduled that the locale is published at this moment at the latest."""
        return moment is not None and await schedule_repository.publishes_by(item_id, locale, moment)

    async def schedule(self, item_id: UUID, locale: str, verdict: Verdict) -> None:
        """Let the times come that the row names."""
        if verdict.state == "schedule" and verdict.start is not None:
            await self._add(item_id, Order("publish", verdict.start, [locale]))
        if verdict.state != "draft" and verdict.end is not None:
            await self._add(item_id, Order("unpublish", verdict.end, [locale]))

    async def _add(self, item_id: UUID, order: Order) -> None:
        try:
            await self._schedule.add(self._principal, self._site, item_id, order)
        except InvalidError:  # the time came after the clock was read
            await self._publishing.act(order.action, self._principal, self._site, item_id, order.locales)

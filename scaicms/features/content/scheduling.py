"""What happens to items at a time: asked for by rows, done once by whichever worker comes first.

A row and its job are written in one transaction, and so are what the job does, the state of the row and the end of the
job: a worker that dies in between has done nothing, and one that lost its lease is refused whole.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from asyncpg import Record
from prometheus_client import Histogram

from scaicms.features.auth.service import Authenticator
from scaicms.features.content import access, drafts, permissions, render, repository, schedule_repository
from scaicms.features.content.errors import ItemNotFoundError, ScheduledByReleaseError, ScheduleOverError
from scaicms.features.content.events import ContentScheduleCancelled, ContentScheduled, ContentScheduleFailed
from scaicms.features.content.jobs import DO_SCHEDULED, ScheduledPayload
from scaicms.features.content.publishing import PublishingService, known_locales
from scaicms.features.content.publishing_schemas import Action, ListSchedule
from scaicms.features.content.records import Item
from scaicms.features.content.schemas import UnpublishedTarget
from scaicms.features.content.service import ContentService, Written
from scaicms.features.taxonomies.service import TermLinks
from scaicms.infra import db, lists
from scaicms.infra.events import record
from scaicms.infra.jobs import enqueue
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit.errors import AppError, FieldError, InvalidError, UnauthorizedError
from scaicms.kit.ids import new_id
from scaicms.kit.principal import SYSTEM, Principal
from scaicms.kit.sites import Site

_late = Histogram(
    "scaicms_schedule_late_seconds",
    "From when publishing was due to when it was done",
    ["action"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The item with its times, and the row that was made."""

    written: Written
    schedule_id: UUID


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to an item, when, in which locales; None is all that it has then."""

    action: Action
    due_at: datetime
    locales: Sequence[str] | None = None


class ScheduleService(Service):
    """Publishing and unpublishing at a time."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._authenticator = services.get(Authenticator)
        self._content = services.get(ContentService)
        self._publishing = services.get(PublishingService)
        self._terms = services.get(TermLinks)

    async def add(
        self, principal: Principal, site: Site, item_id: UUID, order: Order, *, expected_version: int | None = None
    ) -> Asked:
        """Promise it. Whoever does it acts as who asked, with the rights they have then.

        Raises:
            InvalidError: the time is not one to come.
        """
        if principal.is_anonymous:
            raise UnauthorizedError
        order = replace(order, locales=known_locales(site, order.locales))
        async with db.transaction():
            item = await self._hold(principal, site, item_id, order.locales, expected_version)
            await require_to_come(order.due_at)
            schedule_id = new_id()
            payload = ScheduledPayload(schedule_id=schedule_id)
            job_id = await enqueue(DO_SCHEDULED.request(payload, site_id=site.id, run_at=order.due_at))
            await schedule_repository.insert(
                schedule_id,
                site.id,
                item.id,
                order.locales,
                order.action,
                order.due_at,
                job_id=job_id,
                actor=principal,
            )
            fact = item.fact(ContentScheduled, **_order(schedule_id, order.action, order.due_at))
            await record(fact, actor=principal)
            await show_ends(item.id)
            return Asked(await self._planned(principal, site, item, order, job_id), schedule_id)

    async def page(self, principal: Principal, site: Site, query: ListSchedule) -> Found[Record]:
        """What is and was scheduled for items whose drafts the caller may read."""
        principal.require(permissions.READ_DRAFTS.code, site.id)
        scope = principal.scope(permissions.READ_DRAFTS.code, site.id)
        return await lists.read_page(self.resources, schedule_repository.scheduled(site.id, query, scope), query)

    async def cancel(self, principal: Principal, site: Site, schedule_id: UUID) -> None:
        """Let it not happen.

        Raises:
            ScheduleOverError: it has happened, or never will.
        """
        principal.require(permissions.PUBLISH.code, site.id)
        async with db.transaction():
            row = await schedule_repository.find(schedule_id, site_id=site.id)
            if row is None:
                raise ItemNotFoundError
            item = await self._hold(principal, site, row["item_id"], row["locales"])
            row = await schedule_repository.find(schedule_id, lock=True)
            if row is None or row["state"] != "pending":
                raise ScheduleOverError
            if row["release_id"] is not None:
                raise ScheduledByReleaseError
            await schedule_repository.cancel(schedule_id)
            fact = item.fact(ContentScheduleCancelled, **_order(schedule_id, row["action"], row["due_at"]))
            await record(fact, actor=principal)
            await show_ends(item.id)

    async def cancel_for(self, principal: Principal, site: Site, item_id: UUID, locale: str) -> None:
        """Cancel what is to come for this locale of an item alone; releases stay."""
        for schedule_id in await schedule_repository.pending_for(item_id, locale):
            await self.cancel(principal, site, schedule_id)

    async def do(self, site: Site, schedule_id: UUID) -> None:
        """Do what is due, once; in the transaction of the job. What cannot be done is written down with its reason."""
        row = await schedule_repository.find(schedule_id)
        if row is None:
            return
        await self._terms.hold(site)
        # The item before the row: whoever deletes it holds it, and then cancels what is scheduled.
        with suppress(ItemNotFoundError):
            await self._content.hold(SYSTEM, permissions.PUBLISH, site, row["item_id"])
        row = await schedule_repository.find(schedule_id, lock=True)
        # A row that failed with its job is tried again when an operator retries the job.
        if row is None or (row["state"] != "pending" and row["error"] is None):
            return
        error = await self._attempt(site, row)
        late_by = await schedule_repository.finish(schedule_id, error)
        await show_ends(row["item_id"])
        observe_late(row["action"], late_by)

    async def _attempt(self, site: Site, row: Record) -> str | None:
        """Do it as who asked for it; why it could not be done."""
        try:
            principal = await self._authenticator.principal_of(row["actor_kind"], row["actor_id"])
            async with db.transaction():
                await self._publishing.act(row["action"], principal, site, row["item_id"], row["locales"])
        except AppError as error:
            if error.status >= 500:
                raise
            why = f"{error.code}: {error.in_words}"
            await self._tell_failed(site, row, why)
            return why
        return None

    async def give_up(self, site: Site, schedule_id: UUID, reason: str, *, cancelled: bool) -> None:
        """Write that it will not be done because its job was given up; in the transaction that gives the job up."""
        row = await schedule_repository.find(schedule_id)
        if row is None:
            return
        with suppress(ItemNotFoundError):
            await self._content.hold(SYSTEM, permissions.PUBLISH, site, row["item_id"])
        row = await schedule_repository.find(schedule_id, lock=True)
        if row is None or row["state"] != "pending":
            return
        await schedule_repository.give_up([schedule_id], reason, cancelled=cancelled)
        await show_ends(row["item_id"])
        await self._tell_failed(site, row, reason)

    async def _tell_failed(self, site: Site, row: Record, why: str) -> None:
        with suppress(ItemNotFoundError):
            item = await self._content.hold(SYSTEM, permissions.PUBLISH, site, row["item_id"])
            about = _order(row["id"], row["action"], row["due_at"])
            await record(item.fact(ContentScheduleFailed, **about, error=why), actor=SYSTEM)

    async def _hold(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        locales: Sequence[str] | None,
        expected_version: int | None = None,
    ) -> Item:
        """The item, for who may publish it in all of these locales."""
        first = locales[0] if locales else None
        item = await self._content.hold(
            principal, permissions.PUBLISH, site, item_id, locale=first, expected_version=expected_version
        )
        concerned = locales or await repository.locales_of(item.id)
        access.require_everywhere(principal, permissions.PUBLISH, item, concerned)
        return item

    async def _planned(self, principal: Principal, site: Site, item: Item, order: Order, job_id: UUID) -> Written:
        """The item with its times, and what it points to that is not published yet. Its stage may be another then."""
        others = order.locales or await repository.locales_of(item.id)
        unpublished: dict[UnpublishedTarget, None] = {}
        for locale in [item.locale, *(other for other in others if other != item.locale)]:
            there = await self._content.hold(principal, permissions.PUBLISH, site, item.id, locale=locale)
            item = there if locale == item.locale else item
            if order.action == "publish":
                unpublished |= dict.fromkeys(await drafts.check_relations(there))
        seen = access.as_written(principal, item)
        return Written(seen, [job_id], [target for target in unpublished if target.field in seen.data])


async def require_to_come(moment: datetime) -> None:
    """Refuse a time that is past, by the clock of the database."""
    if not await schedule_repository.is_to_come(moment):
        raise InvalidError(errors=[FieldError("/at", "past", "This time is past; leave it out to do it now.")])


async def show_ends(item_id: UUID) -> None:
    """Let published documents of an item say when they will be taken away. The item is held."""
    for row in await schedule_repository.ends_of(item_id):
        made = render.with_end(row["body"], row["version"], row["unpublish_at"])
        if made is not None:
            await repository.put_body(item_id, row["locale"], *made)


def observe_late(action: str, seconds: float) -> None:
    """Tell Prometheus how late something was, once it is committed."""

    async def observe() -> None:
        _late.labels(action).observe(max(0.0, seconds))

    db.after_commit(observe)


def _order(schedule_id: UUID, action: str, due_at: datetime) -> dict[str, object]:
    """What facts about the schedule tell beside those about the item."""
    return {"schedule_id": schedule_id, "action": action, "due_at": due_at}

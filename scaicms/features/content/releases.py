"""Releases: items that are published and unpublished together, now or at a time, all or none.

Whoever does one holds the site's terms, then the types, then the items in the order of their ids, then the release:
two that share items wait for each other and never for ever.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from asyncpg import Record

from scaicms.features.auth.service import Authenticator
from scaicms.features.content import permissions, release_repository, repository, schedule_repository
from scaicms.features.content.errors import ItemNotFoundError, ReleaseFailedError, ReleaseOverError
from scaicms.features.content.events import (
    ReleaseCreated,
    ReleaseDeleted,
    ReleaseEvent,
    ReleaseFailed,
    ReleasePublished,
    ReleaseUpdated,
)
from scaicms.features.content.jobs import DO_RELEASE, ReleasePayload
from scaicms.features.content.publishing import PublishingService
from scaicms.features.content.publishing_schemas import CreateRelease, ReleaseItem, UpdateRelease
from scaicms.features.content.scheduling import observe_late, require_to_come, show_ends
from scaicms.features.content.service import ContentService
from scaicms.features.taxonomies.service import TermLinks
from scaicms.infra import db, lists
from scaicms.infra.events import record
from scaicms.infra.jobs import enqueue
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.errors import AppError, FieldError, InvalidError, PreconditionFailedError, UnauthorizedError
from scaicms.kit.ids import new_id
from scaicms.kit.principal import SYSTEM, Principal
from scaicms.kit.schemas import ListQuery
from scaicms.kit.sites import Site

OTHERS_FAILED = "release_failed: Other items of the release could not be done, so none was."
DoneT = TypeVar("DoneT")


@dataclass(frozen=True, slots=True)
class Release:
    """A release as stored, and the jobs that a write of it gave to workers."""

    row: Record
    job_ids: list[UUID] = field(default_factory=list)

    @property
    def items(self) -> list[ReleaseItem]:
        return items_of(self.row)


def items_of(row: Record) -> list[ReleaseItem]:
    """What is to be done, in the order given."""
    return [ReleaseItem.model_validate(item) for item in json.loads(row["items"])]


class ReleaseService(Service):
    """Releases of a site. They exist for who may publish all that is in them."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._authenticator = services.get(Authenticator)
        self._content = services.get(ContentService)
        self._publishing = services.get(PublishingService)
        self._terms = services.get(TermLinks)

    async def page(self, principal: Principal, site: Site, query: ListQuery) -> Found[Record]:
        principal.require(permissions.PUBLISH.code, site.id)
        scope = principal.scope(permissions.PUBLISH.code, site.id)
        return await lists.read_page(self.resources, release_repository.releases(site.id, scope), query)

    async def get(self, principal: Principal, site: Site, release_id: UUID) -> Release:
        return Release(await self._find(principal, site, release_id))

    async def create(self, principal: Principal, site: Site, new: CreateRelease) -> Release:
        """Put items together, to be done at a time or when somebody says so.

        Raises:
            InvalidError: `errors` name the items that do not exist, or that the caller may not publish.
        """
        if principal.is_anonymous:
            raise UnauthorizedError
        principal.require(permissions.PUBLISH.code, site.id)
        _check_once(new.items)
        async with db.transaction():
            await self._hold(site, new.items)
            await self._check_items(principal, site, new.items)
            release_id = new_id()
            await release_repository.insert(release_id, site.id, new.name, principal)
            await release_repository.put_items(release_id, new.items)
            if new.at is not None:
                await self._plan(principal, site, release_id, new.name, new.items, new.at)
            await record(_fact(ReleaseCreated, site, release_id, new.name), actor=principal)
            return Release(await self._find(principal, site, release_id))

    async def update(
        self,
        principal: Principal,
        site: Site,
        release_id: UUID,
        change: UpdateRelease,
        *,
        expected_version: int | None = None,
    ) -> Release:
        """Change what is in it, its name or its time."""
        if change.items is not None:
            _check_once(change.items)
        async with db.transaction():
            there = await self._find(principal, site, release_id)
            items = change.items if change.items is not None else items_of(there)
            row = await self._hold_release(principal, site, there, items, expected_version)
            await self._check_items(principal, site, items)
            if change.items is not None:
                await release_repository.put_items(release_id, items)
            await self._forget_times(release_id)
            name = change.name if change.name is not None else row["name"]
            due_at = change.at if "at" in change.model_fields_set else row["due_at"]
            await self._plan(principal, site, release_id, name, items, due_at)
            await record(_fact(ReleaseUpdated, site, release_id, name), actor=principal)
            return Release(await self._find(principal, site, release_id))

    async def delete(
        self, principal: Principal, site: Site, release_id: UUID, *, expected_version: int | None = None
    ) -> None:
        """Let it not happen; its items stay as they are."""
        async with db.transaction():
            there = await self._find(principal, site, release_id)
            row = await self._hold_release(principal, site, there, (), expected_version)
            await self._forget_times(release_id)
            await release_repository.remove(release_id)
            await record(_fact(ReleaseDeleted, site, release_id, row["name"]), actor=principal)

    async def publish(self, principal: Principal, site: Site, release_id: UUID) -> Release:
        """Do all of it now.

        Raises:
            ReleaseFailedError: nothing was done; `errors` name each item that stood in the way.
        """
        async with db.transaction():
            there = await self._find(principal, site, release_id)
            row = await self._hold_release(principal, site, there, (), there["version"])
            jobs, problems = await self._all_or_none(principal, site, items_of(row))
            if problems:
                raise ReleaseFailedError(errors=problems)
            await self._forget_times(release_id)
            await release_repository.finish(release_id, (), late=False)
            await record(_fact(ReleasePublished, site, release_id, row["name"]), actor=principal)
            return Release(await self._find(principal, site, release_id), jobs)

    async def do(self, site: Site, release_id: UUID, job_id: UUID) -> None:
        """Do all of it at its time, in the transaction of the job, unless it has another time by now."""
        there = await release_repository.find(site.id, release_id, None)
        if there is None:
            return
        items = items_of(there)
        await self._hold(site, items)
        row = await release_repository.find(site.id, release_id, None, lock=True)
        # One that failed with its job is done when an operator retries the job.
        if row is None or row["state"] not in ("scheduled", "failed") or row["job_id"] != job_id:
            return
        actor = SYSTEM
        problems: list[FieldError] = []
        try:
            actor = await self._authenticator.principal_of(row["actor_kind"], row["actor_id"])
            _, problems = await self._all_or_none(actor, site, items)
        except AppError as error:
            if error.status >= 500:
                raise
            problems = [FieldError("", error.code, error.message)]
        await self._finish(site, row, items, problems, actor)

    async def give_up(self, site: Site, release_id: UUID, job_id: UUID, reason: str, *, cancelled: bool) -> None:
        """Write that nothing of it will be done because its job was given up; in the transaction that does that."""
        there = await release_repository.find(site.id, release_id, None)
        if there is None:
            return
        await self._hold(site, items_of(there))
        row = await release_repository.find(site.id, release_id, None, lock=True)
        if row is None or row["state"] != "scheduled" or row["job_id"] != job_id:
            return
        problem = FieldError("", "job_given_up", reason)
        for item_id in await release_repository.give_up(release_id, job_id, problem, cancelled=cancelled):
            await show_ends(item_id)
        fact = ReleaseFailed(site_id=site.id, aggregate_id=release_id, name=row["name"], error=reason)
        await record(fact, actor=SYSTEM)

    async def _finish(
        self, site: Site, row: Record, items: Sequence[ReleaseItem], problems: list[FieldError], actor: Principal
    ) -> None:
        await release_repository.finish(row["id"], problems, late=True)
        why = {problem.pointer: f"{problem.code}: {problem.message}" for problem in problems}
        otherwise = why.get("", OTHERS_FAILED) if problems else None
        errors = [why.get(f"/items/{place}", otherwise) for place in range(len(items))]
        late_by = await release_repository.finish_rows(row["id"], row["job_id"], errors)
        for item in items:
            await show_ends(item.id)
        if problems:
            fact: ReleaseEvent = ReleaseFailed(
                site_id=site.id, aggregate_id=row["id"], name=row["name"], error="; ".join(why.values())
            )
        else:
            fact = _fact(ReleasePublished, site, row["id"], row["name"])
        await record(fact, actor=actor)
        observe_late("release", late_by)

    async def _find(self, principal: Principal, site: Site, release_id: UUID) -> Record:
        principal.require(permissions.PUBLISH.code, site.id)
        scope = principal.scope(permissions.PUBLISH.code, site.id)
        row = await release_repository.find(site.id, release_id, scope)
        if row is None:
            raise ItemNotFoundError
        return row

    async def _hold(self, site: Site, items: Sequence[ReleaseItem]) -> None:
        await self._terms.hold(site)
        await repository.hold_items(site.id, [item.id for item in items])

    async def _hold_release(
        self,
        principal: Principal,
        site: Site,
        there: Record,
        items: Sequence[ReleaseItem],
        expected_version: int | None,
    ) -> Record:
        """The release as it stays, with its items and these others, unless it is over or not what was expected."""
        await self._hold(site, [*items_of(there), *items])
        row = await release_repository.find(site.id, there["id"], None, lock=True)
        if row is None:
            raise ItemNotFoundError
        if row["version"] != (there["version"] if expected_version is None else expected_version):
            raise PreconditionFailedError(
                headers={"ETag": f'"v{row["version"]}"'}, extra={"current_version": row["version"]}
            )
        if row["state"] == "done":
            raise ReleaseOverError
        return row

    async def _check_items(self, principal: Principal, site: Site, items: Sequence[ReleaseItem]) -> None:
        async def look(item: ReleaseItem) -> None:
            await self._content.hold(principal, permissions.PUBLISH, site, item.id, locale=item.locale)

        _, problems = await _try_each(items, look)
        if problems:
            raise InvalidError("These items cannot be in a release of yours.", errors=problems)

    async def _plan(
        self,
        principal: Principal,
        site: Site,
        release_id: UUID,
        name: str,
        items: Sequence[ReleaseItem],
        due_at: datetime | None,
    ) -> None:
        """Promise it for this time, or not at all for None. Items tell their times."""
        if due_at is None:
            await release_repository.update(release_id, name, None, None, principal)
            return
        await require_to_come(due_at)
        payload = ReleasePayload(release_id=release_id)
        job_id = await enqueue(DO_RELEASE.request(payload, site_id=site.id, run_at=due_at))
        await release_repository.update(release_id, name, due_at, job_id, principal)
        for item in items:
            await schedule_repository.insert(
                new_id(),
                site.id,
                item.id,
                [item.locale] if item.locale is not None else None,
                item.action,
                due_at,
                job_id=job_id,
                actor=principal,
                release_id=release_id,
            )
            await show_ends(item.id)

    async def _forget_times(self, release_id: UUID) -> None:
        for item_id in await release_repository.cancel_rows(release_id):
            await show_ends(item_id)

    async def _all_or_none(
        self, principal: Principal, site: Site, items: Sequence[ReleaseItem]
    ) -> tuple[list[UUID], list[FieldError]]:
        """The jobs that doing all of it gave to workers, or what stood in the way: then nothing was done."""

        async def act(item: ReleaseItem) -> list[UUID]:
            locales = [item.locale] if item.locale is not None else None
            return list((await self._publishing.act(item.action, principal, site, item.id, locales)).job_ids)

        try:
            async with db.transaction():
                done, problems = await _try_each(items, act)
                if problems:
                    raise ReleaseFailedError(errors=problems)
        except ReleaseFailedError as error:
            return [], list(error.errors)
        return list(dict.fromkeys(job for jobs in done for job in jobs)), []


async def _try_each(
    items: Sequence[ReleaseItem], act: Callable[[ReleaseItem], Awaitable[DoneT]]
) -> tuple[list[DoneT], list[FieldError]]:
    """What comes of each item, in the order of their ids, and what is wrong with those that it cannot be done to."""
    done, problems = [], []
    for place, item in sorted(enumerate(items), key=lambda numbered: numbered[1].id):
        try:
            async with db.transaction():
                done.append(await act(item))
        except AppError as error:
            if error.status >= 500:
                raise
            code = "unknown_item" if isinstance(error, ItemNotFoundError) else error.code
            problems.append((place, FieldError(f"/items/{place}", code, f"{item.id}: {error.in_words}")))
    return done, [problem for _, problem in sorted(problems, key=lambda numbered: numbered[0])]


def _check_once(items: Sequence[ReleaseItem]) -> None:
    seen: set[tuple[UUID, str | None]] = set()
    wrong = []
    for place, item in enumerate(items):
        if not {(item.id, item.locale), (item.id, None)}.isdisjoint(seen) or (
            item.locale is None and item.id in {item_id for item_id, _ in seen}
        ):
            wrong.append(FieldError(f"/items/{place}", "duplicate_item", "This item is in the release already."))
        seen.add((item.id, item.locale))
    if wrong:
        raise InvalidError(errors=wrong)


def _fact(kind: type[ReleaseEvent], site: Site, release_id: UUID, name: str) -> ReleaseEvent:
    return kind(site_id=site.id, aggregate_id=release_id, name=name)

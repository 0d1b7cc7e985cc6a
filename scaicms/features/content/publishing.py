"""Publishing and unpublishing an item in several locales at once. HTTP and the schedule enter here."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from scaicms.features.content import link_repository, permissions, repository
from scaicms.features.content.errors import TooManyTargetsError
from scaicms.features.content.publishing_schemas import Action
from scaicms.features.content.service import ContentService, Written
from scaicms.features.taxonomies.service import TermLinks
from scaicms.infra import db
from scaicms.infra.services import Service, Services
from scaicms.kit.errors import AppError, FieldError, InvalidError
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

MAX_TARGETS = 100


class PublishingService(Service):
    """What becomes of one item: all of it or nothing."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)
        self._terms = services.get(TermLinks)

    async def publish(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        *,
        locales: Sequence[str] | None = None,
        expected_version: int | None = None,
        dry_run: bool = False,
        with_targets: bool = False,
    ) -> Written:
        """Publish an item in these locales, or in all that it has; the answer is about the first of them.

        `with_targets` publishes what it points to as well, and what that points to, where that is not published and
        the caller may publish it.

        Raises:
            PreconditionFailedError: `expected_version` is given and is not that of the first locale's draft.
            TooManyTargetsError: there is more to publish than one transaction takes.
        """
        principal.require(permissions.PUBLISH.code, site.id)
        locales = known_locales(site, locales)
        async with db.joined():
            await self._terms.hold(site)
            jobs = []
            if with_targets and not dry_run:
                jobs = await self._publish_targets(principal, site, item_id, locales)
            first = locales[0] if locales else None
            written = await self._content.publish(
                principal, site, item_id, locale=first, expected_version=expected_version, dry_run=dry_run
            )
            # The item is held by now: it gets no other locales.
            others = set(locales or written.elsewhere) - {written.item.locale}
            found = [written]
            for locale in sorted(others):
                found.append(await self._content.publish(principal, site, item_id, locale=locale, dry_run=dry_run))
            return _together(found, jobs)

    async def _publish_targets(
        self, principal: Principal, site: Site, item_id: UUID, locales: Sequence[str] | None
    ) -> list[UUID]:
        """Publish what an item needs, in these locales as far as it has them; the jobs that follow."""
        needed = await link_repository.needed(site.id, item_id, limit=MAX_TARGETS + 1)
        if len(needed) > MAX_TARGETS:
            raise TooManyTargetsError
        await repository.hold_items(site.id, [item_id, *needed])
        await self._content.hold(principal, permissions.PUBLISH, site, item_id)
        jobs: list[UUID] = []
        for target in sorted(needed):
            try:
                async with db.transaction():
                    jobs += await self._publish_target(principal, site, target, locales)
            except AppError as error:
                # What cannot be published, or not by this caller, stays in the plan.
                if error.status >= 500:
                    raise
        return jobs

    async def _publish_target(
        self, principal: Principal, site: Site, item_id: UUID, locales: Sequence[str] | None
    ) -> list[UUID]:
        there = await self._locales_of(principal, site, item_id)
        jobs: list[UUID] = []
        for locale in [locale for locale in there if locales is None or locale in locales] or there[:1]:
            jobs += (await self._content.publish(principal, site, item_id, locale=locale)).job_ids
        return jobs

    async def unpublish(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        *,
        locales: Sequence[str] | None = None,
        expected_version: int | None = None,
    ) -> Written:
        """Take an item out of delivery in these locales, or in all.

        Raises:
            PreconditionFailedError: `expected_version` is given and is not that of the first locale's draft.
            NotPublishedError: it is published in none of them.
        """
        return await self._content.unpublish(
            principal, site, item_id, locales=known_locales(site, locales), expected_version=expected_version
        )

    async def act(
        self, action: Action, principal: Principal, site: Site, item_id: UUID, locales: Sequence[str] | None
    ) -> Written:
        """One of the two, for who has it in a row."""
        if action == "publish":
            return await self.publish(principal, site, item_id, locales=locales)
        return await self.unpublish(principal, site, item_id, locales=locales)

    async def _locales_of(self, principal: Principal, site: Site, item_id: UUID) -> list[str]:
        """The locales of an item, the site's default first; it is held from here on."""
        item = await self._content.hold(principal, permissions.PUBLISH, site, item_id)
        others = set(await repository.locales_of(item.id)) - {item.locale}
        return [item.locale, *sorted(others)]


def known_locales(site: Site, locales: Sequence[str] | None) -> list[str] | None:
    """Each of them once, if the site has them all.

    Raises:
        InvalidError: it has not; pointers are `/locales/…`.
    """
    if locales is None:
        return None
    known = ", ".join(site.locales)
    wrong = [
        FieldError(f"/locales/{number}", "unknown_locale", f"The site has {known}.")
        for number, locale in enumerate(locales)
        if locale not in site.locales
    ]
    if wrong:
        raise InvalidError(f"The site {site.key} has not all of these locales.", errors=wrong)
    return list(dict.fromkeys(locales))


def _together(found: Sequence[Written], jobs_before: Sequence[UUID] = ()) -> Written:
    unpublished = dict.fromkeys(target for written in found for target in written.unpublished)
    jobs = dict.fromkeys([*jobs_before, *(job for written in found for job in written.job_ids)])
    return replace(found[0], job_ids=list(jobs), unpublished=list(unpublished))

"""Use cases of the trash and the archive."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from scaicms.features.content import (
    access,
    drafts,
    lifecycle_repository,
    links,
    permissions,
    repository,
    schedule_repository,
)
from scaicms.features.content.editing_schemas import ListTrash, TrashedItem
from scaicms.features.content.errors import ItemNotFoundError, NotAwayError, SlugTakenError
from scaicms.features.content.events import (
    ContentArchived,
    ContentErased,
    ContentRestored,
    ContentUnpublished,
)
from scaicms.features.content.records import Item
from scaicms.features.content.service import ContentService, Written
from scaicms.features.content_types.service import ContentTypeService
from scaicms.features.taxonomies.service import TermLinks
from scaicms.infra import db, lists
from scaicms.infra.events import record, record_many
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

BATCH = 50


class LifecycleService(Service):
    """Items that are out of the way: in the archive, which is for good, or in the trash, which is emptied."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)
        self._types = services.get(ContentTypeService)
        self._terms = services.get(TermLinks)

    async def trash(self, principal: Principal, site: Site, query: ListTrash) -> Found[TrashedItem]:
        """What the caller may read of the trash and take out of it."""
        needed = (permissions.DELETE, permissions.READ_DRAFTS)
        for permission in needed:
            principal.require(permission.code, site.id)
        scopes = [principal.scope(permission.code, site.id) for permission in needed]
        listed = await lists.read_page(self.resources, lifecycle_repository.trash(site.id, scopes, query), query)
        found = []
        for row in listed.rows:
            locales: Sequence[str] = row["locales"]
            for scope in scopes:
                locales = access.within_locales(scope, row["type"], locales, row["created_by"])
            shown = {**dict(row), "locales": list(locales), "purge_at": self._purge_at(row["deleted_at"])}
            found.append(TrashedItem(**shown))
        return listed.of(found)

    async def archive(self, principal: Principal, site: Site, item_id: UUID) -> Written:
        """Out of delivery and of the lists of editors; its draft stays, as it is, until it is restored."""
        async with db.transaction():
            item = await self._content.hold(principal, permissions.DELETE, site, item_id)
            access.require_everywhere(principal, permissions.DELETE, item, await repository.locales_of(item.id))
            published = await repository.remove_documents(site.id, item.id)
            healing = await links.come_or_gone(item) if published else []
            await schedule_repository.cancel_all(item.id)
            await lifecycle_repository.set_archived(site.id, item.id, archived=True)
            facts = item.facts(ContentUnpublished, published)
            jobs = await record_many([*facts, item.fact(ContentArchived)], actor=principal)
            archived = replace(
                item, is_archived=True, published_version=None, published_at=None, publish_at=None, unpublish_at=None
            )
            return Written(access.as_written(principal, archived), [*jobs, *healing])

    async def restore(self, principal: Principal, site: Site, item_id: UUID, slug: str | None = None) -> Written:
        """Out of the trash, or else out of the archive, as a draft; `slug` in the place of one that is taken.

        Raises:
            NotAwayError: the item is in neither.
            SlugTakenError, NotUniqueError, SingleExistsError: another item has taken its place.
        """
        principal.require(permissions.DELETE.code, site.id)
        async with db.transaction():
            versions, deleted = await self._away(principal, site, item_id)
            item = versions[0]
            if deleted:
                await drafts.claim_single(item.content_type)
                item = replace(item, slug=await _claim(item, slug or item.slug))
                for version in versions:
                    await drafts.check_unique(version)
                await lifecycle_repository.take_out_of_trash(site.id, item.id, item.slug)
            else:
                await lifecycle_repository.set_archived(site.id, item.id, archived=False)
                item = replace(item, is_archived=False)
            jobs = await record(item.fact(ContentRestored), actor=principal)
            return Written(access.as_written(principal, item), jobs)

    async def empty_trash(self, principal: Principal) -> int:
        """Remove for good what has been in the trash for longer than the setting says; how many items."""
        principal.require(permissions.DELETE.code)
        days, total, removed = self.resources.settings.trash_days, 0, 1
        while days and removed:
            async with db.transaction():
                rows = await lifecycle_repository.expired(days, BATCH)
                for row in rows:
                    await repository.remove_for_good(row["site_id"], row["id"])
                facts = [
                    ContentErased(
                        site_id=row["site_id"], aggregate_id=row["id"], content_type=row["type"], slug=row["slug"]
                    )
                    for row in rows
                ]
                await record_many(facts, actor=principal)
            removed = len(rows)
            total += removed
        return total

    async def _away(self, principal: Principal, site: Site, item_id: UUID) -> tuple[list[Item], bool]:
        """An item in all of its locales, the site's own first, and whether it is in the trash."""
        held = await lifecycle_repository.hold_type_of(site.id, item_id)
        rows = await lifecycle_repository.entries(site.id, item_id, site.default_locale)
        if held is None or not rows:
            raise ItemNotFoundError
        content_type = await self._types.at_version(site.id, held["key"], held["version"])
        terms = await self._terms.of_items(site, [item_id], site.default_locale)
        versions = [replace(repository.to_item(row, content_type), terms=terms.get(item_id, ())) for row in rows]
        for version in versions:
            access.require_item(principal, permissions.DELETE, version)
        deleted = rows[0]["deleted_at"] is not None
        if not deleted and not versions[0].is_archived:
            raise NotAwayError
        return versions, deleted

    def _purge_at(self, deleted_at: datetime) -> datetime | None:
        days = self.resources.settings.trash_days
        return deleted_at + timedelta(days=days) if days else None


async def _claim(item: Item, slug: str) -> str:
    try:
        return await drafts.claim_slug(item.content_type, slug, item_id=item.id)
    except SlugTakenError as error:
        suggestion = await drafts.free_slug(item.content_type, slug)
        raise SlugTakenError(f"{error.message} Give another one.", extra={"suggestion": suggestion}) from None

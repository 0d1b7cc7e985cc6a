"""Use cases of items. HTTP, import, CLI and schedule all enter here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.content import (
    access,
    drafts,
    fallbacks,
    hold_repository,
    links,
    permissions,
    referring,
    repository,
    saving,
    schedule_repository,
    sharing,
    workflow,
)
from scaicms.features.content.approval import ApprovalService
from scaicms.features.content.conflicts import Change
from scaicms.features.content.delivery import DeliveryService
from scaicms.features.content.errors import HeldError, ItemArchivedError, ItemNotFoundError, NotPublishedError
from scaicms.features.content.events import (
    ContentCreated,
    ContentDeleted,
    ContentPublished,
    ContentUnpublished,
    ContentUpdated,
)
from scaicms.features.content.locales import locales_asked
from scaicms.features.content.records import Item
from scaicms.features.content.schemas import CreateItem, PublishPlan, UnpublishedTarget
from scaicms.features.content.texts import PublishedTexts
from scaicms.features.content_types.service import CompiledType, ContentTypeService, check_data
from scaicms.features.taxonomies.service import TermLinks
from scaicms.infra import db
from scaicms.infra.events import record, record_many
from scaicms.infra.services import Service, Services
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import PreconditionFailedError
from scaicms.kit.ids import new_id
from scaicms.kit.locales import known_locale
from scaicms.kit.permissions import Permission
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


@dataclass(frozen=True, slots=True)
class Written:
    """An item after a write, the jobs that the write gave to workers, and what publishing found.

    `elsewhere` are the item's other locales, also those that the caller does not see.
    """

    item: Item
    job_ids: Sequence[UUID] = ()
    unpublished: Sequence[UnpublishedTarget] = field(default_factory=tuple)
    elsewhere: Sequence[str] = ()

    @property
    def plan(self) -> PublishPlan:
        return PublishPlan(unpublished_targets=list(self.unpublished))


__all__ = ["ContentService", "DeliveryService", "PublishedTexts", "Written"]


class ContentService(Service):
    """Items of a site. Each write is a transaction, or a part of the one that is open (`db.joined`)."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._types = services.get(ContentTypeService)
        self._terms = services.get(TermLinks)
        self._approval = services.get(ApprovalService)

    async def create(self, principal: Principal, site: Site, new: CreateItem) -> Written:
        """Store a new item, and publish it at once if asked to."""
        principal.require(permissions.CREATE.code, site.id)
        locale = known_locale(site, new.locale)
        writable = access.require_type(principal, permissions.CREATE, site.id, new.type, locale)
        known = await self._types.compiled(site.id, new.type)
        async with db.joined():
            if new.taxonomies:
                await self._terms.hold(site)
            content_type = await self._types.hold(known)
            data = await check_data(content_type, new.data)
            access.require_fields(writable, [*new.data, "taxonomies"] if new.taxonomies else new.data)
            await drafts.claim_single(content_type)
            now = utcnow()
            item = Item(
                id=new_id(),
                site_id=site.id,
                content_type=content_type,
                slug=await drafts.new_slug(content_type, new.slug, data),
                locale=locale,
                version=1,
                published_version=None,
                data=data,
                created_at=now,
                created_by=principal.author_id,
                updated_at=now,
                updated_by=principal.author_id,
                published_at=None,
                locales=(locale,),
                stage=content_type.workflow.stage_of(None) if content_type.workflow is not None else None,
            )
            await drafts.check_relations(item, sees=access.sight(principal, site.id))
            await drafts.check_unique(item)
            await repository.insert_item(item)
            if new.taxonomies:
                item = await self._with_terms(site, item, new.taxonomies)
            await sharing.keep_references(item)
            await record(item.fact(ContentCreated), actor=principal)
            written = await self._publish(principal, site, item) if new.publish else Written(item)
            return replace(written, item=access.as_written(principal, written.item, data))

    async def save(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        data: dict[str, Any],
        *,
        taxonomies: Mapping[str, Any] | None = None,
        locale: str | None = None,
        slug: str | None = None,
        merge: bool = True,
        all_terms: bool = False,
        expected_version: int | None = None,
        reconcile: bool = False,
    ) -> Written:
        """A new version of the draft: `data` laid over the old one (`merge`; null removes) or in its place. Terms
        of the taxonomies given are those given; with `all_terms` there are no others.

        Raises:
            VersionConflictError: `expected_version` is not the stored one, and collides or is not to `reconcile`.
        """
        principal.require(permissions.UPDATE.code, site.id)
        async with db.joined():
            if taxonomies is not None:
                await self._terms.hold(site)
            old = await self._lock(principal, permissions.UPDATE, site, item_id, locale, None)
            change = Change(data, slug, taxonomies, replace=not merge)
            item, change = await saving.next_version(principal, old, change, expected_version, merge=reconcile)
            data, taxonomies = change.data, change.taxonomies
            await sharing.update_draft(principal, site, item, old, data)
            if taxonomies is not None:
                item = await self._with_terms(site, item, taxonomies, all_terms=all_terms, writer=principal)
            await sharing.keep_references(item)
            jobs = await record(item.fact(ContentUpdated), actor=principal)
            if saving.is_changed(principal, item, old, change):
                item = await self._approval.after_change(principal, item)
            return Written(access.as_written(principal, item, data), jobs)

    async def publish(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        *,
        locale: str | None = None,
        expected_version: int | None = None,
        dry_run: bool = False,
    ) -> Written:
        """Render the draft into the document that delivery returns. Who calls holds the site's terms first."""
        principal.require(permissions.PUBLISH.code, site.id)
        async with db.joined():
            item = await self._lock(principal, permissions.PUBLISH, site, item_id, locale, expected_version)
            workflow.require_publishable(item)
            if dry_run:
                written = Written(item, (), await drafts.check_relations(item))
            else:
                written = await self._publish(principal, site, item)
            return _as_seen(principal, written)

    async def unpublish(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        *,
        locales: Sequence[str] | None = None,
        expected_version: int | None = None,
    ) -> Written:
        """Take an item out of delivery, in these locales or in all; its draft stays."""
        principal.require(permissions.PUBLISH.code, site.id)
        async with db.joined():
            first = locales[0] if locales else None
            item = await self._lock(principal, permissions.PUBLISH, site, item_id, first, expected_version)
            await _require_whole(principal, permissions.PUBLISH, item, locales)
            removed = await repository.remove_documents(site.id, item.id, locales)
            if not removed:
                raise NotPublishedError
            facts = item.facts(ContentUnpublished, removed)
            jobs = [*await record_many(facts, actor=principal), *await fallbacks.ask_for_refresh(item)]
            jobs += await links.come_or_gone(item)
            return _as_seen(principal, Written(replace(item, published_version=None, published_at=None), jobs))

    async def delete(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        *,
        permanent: bool = False,
        force: bool = False,
        expected_version: int | None = None,
    ) -> None:
        """Into the trash, or away for good unless it is held; out of delivery in either case.

        Raises:
            ItemInUseError: others point to it, and it is not to go all the same (`force`).
        """
        principal.require(permissions.DELETE.code, site.id)
        async with db.joined():
            item = await self._lock(principal, permissions.DELETE, site, item_id, None, expected_version)
            await _require_whole(principal, permissions.DELETE, item)
            if permanent and await hold_repository.find(site.id, item.id) is not None:
                raise HeldError
            if not force:
                await referring.require_unused(self.resources, principal, item)
            if removed := await repository.remove_documents(site.id, item.id):
                await links.come_or_gone(item)
            await schedule_repository.cancel_all(item.id)
            if permanent:
                await repository.remove_for_good(site.id, item.id)
            else:
                await repository.put_into_trash(site.id, item.id, principal.author_id)
            await record_many([*item.facts(ContentUnpublished, removed), item.fact(ContentDeleted)], actor=principal)

    async def draft(
        self, principal: Principal, site: Site, item_id: UUID, locale: str | None = None, fallback: str | None = None
    ) -> Item:
        """The current draft. Who may not read drafts learns nothing of them."""
        if not principal.may(permissions.READ_DRAFTS.code, site.id):
            raise ItemNotFoundError
        only = locale is not None or fallback is not None
        for one in locales_asked(site, locale, fallback):
            row = await repository.find(site.id, item_id, one, only=only)
            if row is not None and access.draft_view(principal, item := await self._item(site, row)) is not None:
                return access.require_draft(principal, item)
        raise ItemNotFoundError

    async def draft_by_slug(
        self,
        principal: Principal,
        site: Site,
        type_key: str,
        slug: str,
        locale: str | None = None,
        fallback: str | None = None,
    ) -> Item:
        """The same, found by its slug."""
        if not principal.may(permissions.READ_DRAFTS.code, site.id):
            raise ItemNotFoundError
        access.require_known_type(principal, site.id, type_key)
        content_type = await self._types.compiled(site.id, type_key)
        for one in locales_asked(site, locale, fallback):
            row = await repository.find_by_slug(site.id, content_type.id, slug, one)
            if row is not None and access.draft_view(principal, item := await self._item(site, row)) is not None:
                return access.require_draft(principal, item)
        raise ItemNotFoundError

    async def hold(
        self,
        principal: Principal,
        permission: Permission,
        site: Site,
        item_id: UUID,
        *,
        locale: str | None = None,
        expected_version: int | None = None,
    ) -> Item:
        """The item as it stays until the transaction ends, for who has the permission on it."""
        principal.require(permission.code, site.id)
        return await self._lock(principal, permission, site, item_id, locale, expected_version)

    async def _publish(self, principal: Principal, site: Site, item: Item) -> Written:
        principal.require(permissions.PUBLISH.code, item.site_id)
        access.require_item(principal, permissions.PUBLISH, item)
        workflow.require_publishable(item)
        unpublished = await drafts.check_relations(item)
        has_terms = bool(item.terms) or item.has_terms
        if has_terms:
            item = await self._as_called(site, item)
        published_at = item.published_at or utcnow()
        made = await fallbacks.rendered(site, item, published_at)
        await links.before_publishing(item, made.data)
        await repository.put_document(item, made.body, made.etag, made.data, published_at)
        if has_terms:
            await self._terms.publish(item.id, item.locale)
        published = replace(item, published_version=item.version, published_at=published_at)
        jobs = await record(published.fact(ContentPublished), actor=principal)
        jobs = [*jobs, *await fallbacks.ask_for_refresh(item), *await links.published(item, made.data, made.body)]
        return Written(published, jobs, unpublished)

    async def _lock(
        self,
        principal: Principal,
        permission: Permission,
        site: Site,
        item_id: UUID,
        locale: str | None,
        expected_version: int | None,
    ) -> Item:
        """The item, to be changed. Who may not is refused before its version could tell that it is there."""
        held = await repository.hold_type_of(site.id, item_id)
        row = await repository.find(site.id, item_id, known_locale(site, locale), only=locale is not None, lock=True)
        if held is None or row is None:
            raise ItemNotFoundError
        content_type = await self._types.at_version(site.id, held["key"], held["version"])
        item = await self._known(site, row, content_type)
        access.require_item(principal, permission, item)
        if item.is_archived and permission is not permissions.DELETE:
            raise ItemArchivedError
        if expected_version is not None and expected_version != item.version:
            raise PreconditionFailedError(
                f"The item is at version {item.version}, not {expected_version}.",
                headers={"ETag": item.etag},
                extra={"current_version": item.version},
            )
        return item

    async def _item(self, site: Site, row: Record) -> Item:
        return await self._known(site, row, await self._type_of(site, row["type_id"]))

    async def _known(self, site: Site, row: Record, content_type: CompiledType) -> Item:
        item = repository.to_item(row, content_type)
        return replace(await self._as_called(site, item), has_terms=True) if row["has_terms"] else item

    async def _as_called(self, site: Site, item: Item) -> Item:
        """The item with its terms as they are called now."""
        terms = await self._terms.of_items(site, [item.id], item.locale)
        return replace(item, terms=terms.get(item.id, ()))

    async def _with_terms(
        self,
        site: Site,
        item: Item,
        given: Mapping[str, Any],
        *,
        all_terms: bool = False,
        writer: Principal | None = None,
    ) -> Item:
        """The item with these terms; `writer` needs the right to change them where it has others, and to name any where
        they may not read which it has."""
        if writer is not None and given:
            hidden = access.hidden_fields(writer, item, ["taxonomies"])
            access.require_fields(access.require_item(writer, permissions.UPDATE, item), hidden)
            access.require_shared(writer, item, hidden)
        if all_terms:
            given = {**dict.fromkeys(await self._terms.keys(site)), **given}
        if not await self._terms.assign(site, item.id, await self._terms.resolve(site, given)):
            return item
        if writer is not None:
            access.require_fields(access.require_item(writer, permissions.UPDATE, item), ["taxonomies"])
            access.require_shared(writer, item, ["taxonomies"])
            await repository.touch_other_locales(item)
        return await self._as_called(site, item)

    async def _type_of(self, site: Site, type_id: UUID) -> CompiledType:
        return await self._types.compiled(site.id, await repository.type_key(site.id, type_id))


async def _require_whole(
    principal: Principal, permission: Permission, item: Item, locales: Sequence[str] | None = None
) -> None:
    if principal.scope(permission.code, item.site_id) is not None:
        access.require_everywhere(principal, permission, item, locales or await repository.locales_of(item.id))


def _as_seen(principal: Principal, written: Written) -> Written:
    """The answer to a write, without what the caller may not read."""
    item = access.as_written(principal, written.item)
    unpublished = [target for target in written.unpublished if target.field in item.data]
    return replace(written, item=item, unpublished=unpublished, elsewhere=written.item.other_locales)

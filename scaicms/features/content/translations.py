"""Use cases of the locales of one item: how they stand, and adding, replacing and removing one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.content import (
    access,
    drafts,
    fallbacks,
    links,
    permissions,
    repository,
    sharing,
    translation_repository,
)
from scaicms.features.content.approval import ApprovalService
from scaicms.features.content.errors import ItemNotFoundError, LastLocaleError
from scaicms.features.content.events import ContentUnpublished, TranslationAdded, TranslationRemoved
from scaicms.features.content.records import Item
from scaicms.features.content.service import ContentService, Written
from scaicms.features.content.translation_schemas import ListMissing, MissingTranslation, Translation
from scaicms.features.content_types.service import CompiledType, ContentTypeService, check_data
from scaicms.features.taxonomies.service import TermLinks
from scaicms.infra import db, lists
from scaicms.infra.events import record
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.clock import utcnow
from scaicms.kit.errors import PreconditionFailedError
from scaicms.kit.locales import known_locale
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


class TranslationService(Service):
    """Items by locale."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)
        self._types = services.get(ContentTypeService)
        self._terms = services.get(TermLinks)
        self._approval = services.get(ApprovalService)

    async def overview(self, principal: Principal, site: Site, item_id: UUID) -> list[Translation]:
        """How the item stands in each locale of the site of which the caller reads drafts."""
        principal.require(permissions.READ_DRAFTS.code, site.id)
        rows = await translation_repository.entries(site.id, item_id)
        if not rows:
            raise ItemNotFoundError
        content_type = await self._types.compiled(site.id, await repository.type_key(site.id, rows[0]["type_id"]))
        by_locale = {row["locale"]: _item(row, content_type, item_id, site.id) for row in rows}
        steps = {row["locale"]: json.loads(row["stamps"]) for row in rows}
        scope = principal.scope(permissions.READ_DRAFTS.code, site.id)
        views = {one: access.view(scope, content_type.key, one, rows[0]["created_by"]) for one in site.locales}
        seen = {one: view for one, view in views.items() if view is not None}
        if not any(one in by_locale for one in seen):
            raise ItemNotFoundError
        return [_translation(site, one, seen, by_locale, steps) for one in seen]

    async def missing(self, principal: Principal, site: Site, query: ListMissing) -> Found[MissingTranslation]:
        """Items that have work for translators into a locale, the oldest first."""
        principal.require(permissions.READ_DRAFTS.code, site.id)
        scope = principal.scope(permissions.READ_DRAFTS.code, site.id)
        locale, type_id = known_locale(site, query.locale), None
        if query.type is not None:
            access.require_known_type(principal, site.id, query.type)
            type_id = (await self._types.compiled(site.id, query.type)).id
        wanted = translation_repository.Lacking(site.id, locale, site.chain(locale)[1:], type_id, scope)
        found = await lists.read_page(self.resources, translation_repository.lacking(wanted), query)
        return found.each(lambda row: MissingTranslation.model_validate(dict(row)))

    async def put(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        locale: str,
        data: dict[str, Any],
        *,
        expected_version: int | None = None,
        must_exist: bool = False,
    ) -> tuple[Written, bool]:
        """Make `data` all that the locale has of its own, and shared fields what it says of them; whether the locale is
        a new one of the item.

        Raises:
            PreconditionFailedError: it is, and `must_exist`; or `expected_version` is not the stored one.
        """
        principal.require(permissions.UPDATE.code, site.id)
        known_locale(site, locale)
        async with db.transaction():
            held = await repository.hold_type_of(site.id, item_id)
            rows = await translation_repository.entries(site.id, item_id)
            if held is None or not rows:
                raise ItemNotFoundError
            if any(row["locale"] == locale for row in rows):
                item = await self._content.hold(principal, permissions.UPDATE, site, item_id, locale=locale)
                given = {**_removals(principal, item, data), **data}
                written = await self._content.save(
                    principal, site, item_id, given, locale=locale, expected_version=expected_version
                )
                return written, False
            content_type = await self._types.at_version(site.id, held["key"], held["version"])
            base = _base(principal, site, [_item(row, content_type, item_id, site.id) for row in rows])
            if must_exist or expected_version is not None:
                raise PreconditionFailedError("The item has no draft in this locale.")
            locales = tuple(sorted((locale, *base.locales)))
            version = rows[0]["first_version"]
            new = replace(base, locale=locale, locales=locales, version=version, published_version=None)
            return await self._add(principal, site, new, data), True

    async def remove(
        self, principal: Principal, site: Site, item_id: UUID, locale: str, *, expected_version: int | None = None
    ) -> None:
        """Take the locale away from the item, out of delivery too.

        Raises:
            LastLocaleError: it is the only one.
        """
        principal.require(permissions.DELETE.code, site.id)
        async with db.transaction():
            item = await self._content.hold(
                principal, permissions.DELETE, site, item_id, locale=locale, expected_version=expected_version
            )
            if not item.other_locales:
                raise LastLocaleError
            await translation_repository.remove_entry(item)
            await sharing.keep_references(replace(item, data={}))
            if item.published_version is not None:
                await record(item.fact(ContentUnpublished), actor=principal)
                await links.come_or_gone(item)
            await record(item.fact(TranslationRemoved), actor=principal)
            await self._approval.after_change(principal, item)
            await fallbacks.ask_for_refresh(item)

    async def _add(self, principal: Principal, site: Site, new: Item, data: dict[str, Any]) -> Written:
        """Store the item, of which `data` is another locale's, in a new one."""
        writable = access.require_item(principal, permissions.UPDATE, new)
        content_type, own = new.content_type, new.content_type.localized_keys
        shared = {key: value for key, value in new.data.items() if key not in own}
        checked = await check_data(content_type, {**shared, **data}, new.data)
        # A default is for new items, not for what somebody took away from all locales of this one.
        checked = {key: value for key, value in checked.items() if key in own or key in shared or key in data}
        seen = access.draft_view(principal, new)
        access.require_fields(writable, access.touched_fields(data, shared, checked, seen))
        item = replace(new, data=checked, published_at=None, updated_at=utcnow(), updated_by=principal.author_id)
        hidden = access.hidden_fields(principal, new, new.data)
        kept = drafts.may_stay(item, new, hidden=hidden, named=data)
        await drafts.check_changed(item, sees=access.sight(principal, site.id), kept=kept)
        await translation_repository.insert_entry(item)
        await sharing.spread(principal, site, item, replace(new, data=shared), data)
        await sharing.keep_references(item)
        jobs = await record(item.fact(TranslationAdded), actor=principal)
        item = await self._approval.after_change(principal, item)
        terms = await self._terms.of_items(site, [item.id], item.locale)
        return Written(access.as_written(principal, replace(item, terms=terms.get(item.id, ())), data), jobs)


def _base(principal: Principal, site: Site, found: Sequence[Item]) -> Item:
    """What a new locale of an item begins with: the draft in the site's default locale, or else in any.

    Raises:
        ItemNotFoundError: the caller sees nothing of the item.
    """
    if not any(access.is_seen(principal, item) for item in found):
        raise ItemNotFoundError
    base = next((item for item in found if item.locale == site.default_locale), found[0])
    return replace(base, locales=tuple(item.locale for item in found))


def _removals(principal: Principal, item: Item, data: Mapping[str, Any]) -> dict[str, None]:
    """The localized fields that `data` takes away by not naming them, of those within the caller's reach."""
    writable = access.require_item(principal, permissions.UPDATE, item)
    kept = access.kept_fields(item.data, writable, access.draft_view(principal, item))
    gone = item.data.keys() & item.content_type.localized_keys
    return dict.fromkeys(sorted(gone - kept.keys() - data.keys()))


def _item(row: Record, content_type: CompiledType, item_id: UUID, site_id: UUID) -> Item:
    return Item(
        id=item_id,
        site_id=site_id,
        content_type=content_type,
        slug=row["slug"],
        locale=row["locale"],
        version=row["version"],
        published_version=row["published_version"],
        data=json.loads(row["data"]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        updated_at=row["updated_at"],
        updated_by=row["updated_by"],
        published_at=row["published_at"],
        stage=content_type.workflow.stage_of(row["stage"]) if content_type.workflow is not None else None,
    )


def _translation(
    site: Site,
    locale: str,
    seen: Mapping[str, access.View],
    found: Mapping[str, Item],
    stamps: Mapping[str, Mapping[str, int]],
) -> Translation:
    """One locale, compared with the first of those it falls back to that the caller sees a draft in."""
    item = found.get(locale)
    source = next((one for one in site.chain(locale)[1:] if one in found and one in seen), None)
    missing, outdated = [], []
    if source is not None:
        own = found[source].content_type.localized_keys
        shown = [
            key for key in found[source].data if key in own and seen[source].shows(key) and seen[locale].shows(key)
        ]
        there, mine = found[locale].data if item is not None else {}, stamps.get(locale, {})
        missing = [key for key in shown if key not in there]
        outdated = [key for key in shown if key in there and stamps[source].get(key, 0) > mine.get(key, 0)]
    return Translation(
        locale=locale,
        exists=item is not None,
        status=item.status if item is not None else None,
        version=item.version if item is not None else None,
        updated_at=item.updated_at if item is not None else None,
        updated_by=item.updated_by if item is not None else None,
        published_at=item.published_at if item is not None else None,
        source=source,
        missing=missing,
        outdated=outdated,
    )

"""A new item from what another one is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from scaicms.features.content import access, drafts, permissions
from scaicms.features.content.editing_schemas import DuplicateItem, Duplication
from scaicms.features.content.records import Item
from scaicms.features.content.schemas import CreateItem
from scaicms.features.content.service import ContentService, Written
from scaicms.features.content.translations import TranslationService
from scaicms.features.content_types.service import CompiledType, FieldDefinition
from scaicms.features.taxonomies.service import TermLinks
from scaicms.infra import db
from scaicms.infra.services import Service, Services
from scaicms.kit.ids import new_id
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

# What a suffix can be put behind.
_TEXTS = frozenset({"string", "text", "slug"})


@dataclass(slots=True)
class _Copy:
    """Data of a copy, and in what it is not that of the original."""

    data: dict[str, Any]
    emptied: list[str] = field(default_factory=list)
    suffixed: list[str] = field(default_factory=list)


class DuplicateService(Service):
    """Copies go through `ContentService`, as any new item."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)
        self._translations = services.get(TranslationService)
        self._terms = services.get(TermLinks)

    async def duplicate(
        self, principal: Principal, site: Site, item_id: UUID, new: DuplicateItem, locale: str | None
    ) -> tuple[Written, Duplication]:
        """A new draft with what the caller may read of an item and write into a new one; `new` says what is otherwise.

        Components get ids of their own. Values of unique fields are left out or, where there must be one, get a suffix.
        """
        async with db.transaction():
            await self._terms.hold(site)
            original = await self._content.draft(principal, site, item_id, locale)
            content_type = original.content_type
            writable = access.require_type(principal, permissions.CREATE, site.id, content_type.key, original.locale)
            copy = _copied(content_type, {k: v for k, v in original.data.items() if writable.shows(k)}, new.data)
            left_out = [key for key in content_type.fields if key in original.data and not writable.shows(key)]
            terms: dict[str, list[str]] = {}
            for term in original.terms if writable.shows("taxonomies") else ():
                terms.setdefault(term.taxonomy, []).append(str(term.id))
            wanted = CreateItem(
                type=content_type.key,
                slug=new.slug or await drafts.free_slug(content_type, original.slug),
                locale=original.locale,
                data={**copy.data, **new.data},
                taxonomies=terms,
            )
            written = await self._content.create(principal, site, wanted)
            about = Duplication(of=original.id, emptied=copy.emptied, suffixed=copy.suffixed, left_out=left_out)
            if locale is not None:
                return written, about
            for other in original.locales:
                if other != original.locale and not await self._translate(principal, site, original, written, other):
                    about.left_out_locales.append(other)
            item = await self._content.draft(principal, site, written.item.id, original.locale)
            return replace(written, item=item), about

    async def _translate(self, principal: Principal, site: Site, original: Item, written: Written, locale: str) -> bool:
        """Give the copy what the original has of its own in another locale; False where the caller may not."""
        translated = await self._content.draft(principal, site, original.id, locale)
        content_type = original.content_type
        scope = principal.scope(permissions.UPDATE.code, site.id)
        writable = access.view(scope, content_type.key, locale, written.item.created_by)
        if writable is None or not principal.may(permissions.UPDATE.code, site.id):
            return False
        own = {k: v for k, v in translated.data.items() if k in content_type.localized_keys and writable.shows(k)}
        copy = _copied(content_type, own, {})
        await self._translations.put(principal, site, written.item.id, locale, copy.data)
        return True


def _copied(content_type: CompiledType, data: Mapping[str, Any], given: Mapping[str, Any]) -> _Copy:
    copy = _Copy(_without_ids(content_type, content_type.fields.values(), data))
    for key in content_type.unique_keys:
        if key not in copy.data or key in given:
            continue
        about = content_type.fields[key]
        if about.required and about.type in _TEXTS:
            copy.data[key] = f"{copy.data[key]}-{new_id().hex[-6:]}"
            copy.suffixed.append(key)
        else:
            del copy.data[key]
            copy.emptied.append(key)
    return copy


def _without_ids(
    content_type: CompiledType, fields: Iterable[FieldDefinition], data: Mapping[str, Any]
) -> dict[str, Any]:
    """Data whose components have no ids, so that they get new ones."""
    bare = {key: value for key, value in data.items() if key != "_id"}
    for one in fields:
        value = bare.get(one.key)
        if one.component_keys and value is not None:
            bare[one.key] = (
                [_bare_component(content_type, element) for element in value]
                if isinstance(value, list)
                else _bare_component(content_type, value)
            )
    return bare


def _bare_component(content_type: CompiledType, element: Mapping[str, Any]) -> dict[str, Any]:
    return _without_ids(content_type, content_type.components[element["_type"]].fields, element)

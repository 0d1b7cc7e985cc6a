"""How far a caller's rights reach into content. Services ask here wherever an item is read or written.

What may not be read does not exist (404, the same as for a missing id); what may be read but not written is refused.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from scaicms.features.assets.permissions import READ as READ_ASSETS
from scaicms.features.content.errors import FieldForbiddenError, ItemNotFoundError
from scaicms.features.content.permissions import CREATE, READ, READ_DRAFTS, UPDATE
from scaicms.features.content.records import Item, Target
from scaicms.features.content_types.errors import unknown_type
from scaicms.kit import json
from scaicms.kit.errors import FieldError
from scaicms.kit.permissions import Permission
from scaicms.kit.principal import Principal, Scope


@dataclass(frozen=True, slots=True)
class View:
    """The fields of one item that are within reach; None is all."""

    fields: frozenset[str] | None = None

    def shows(self, key: str) -> bool:
        return self.fields is None or key in self.fields

    def project(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Data of these fields, with the HTML that stands beside them. Another type may have a field of such a name."""
        return {key: value for key, value in data.items() if self.shows(key) or self._shows_html(key, data)}

    def _shows_html(self, key: str, data: Mapping[str, Any]) -> bool:
        field = key.removesuffix("_html")
        return field != key and field in data and self.shows(field)


WHOLE = View()
NOTHING = View(frozenset())


Sees = Callable[[Target], bool]


@dataclass(frozen=True, slots=True)
class Sight:
    """What of possible targets a caller may see: which items, None being all of them, and whether assets."""

    items: Sees | None
    assets: bool


def view(scope: Scope | None, type_key: str, locale: str | None, created_by: UUID | None) -> View | None:
    """What a scope shows of an item; None: not the item at all."""
    if scope is None:
        return WHOLE
    reach = scope.at(type_key, locale)
    if reach is None:
        return None
    own = scope.is_own(created_by)
    if not (own or reach.others):
        return None
    return View(reach.own_fields if own else reach.fields)


def draft_view(principal: Principal, item: Item) -> View | None:
    """What the caller may read of the draft; None: nothing."""
    if not principal.may(READ_DRAFTS.code, item.site_id):
        return None
    scope = principal.scope(READ_DRAFTS.code, item.site_id)
    return view(scope, item.content_type.key, item.locale, item.created_by)


def require_draft(principal: Principal, item: Item) -> Item:
    """The draft as the caller may read it, or not found."""
    seen = draft_view(principal, item)
    if seen is None:
        raise ItemNotFoundError
    return replace(item, data=seen.project(item.data), locales=seen_locales(principal, item))


def as_written(principal: Principal, item: Item, given: Iterable[str] = ()) -> Item:
    """The item in the answer to a write: what the caller may read, and what they sent themselves."""
    seen = draft_view(principal, item) or NOTHING
    shown = seen if seen.fields is None else View(seen.fields.union(given))
    return replace(item, data=shown.project(item.data), locales=seen_locales(principal, item))


def require_item(principal: Principal, permission: Permission, item: Item) -> View:
    """The fields within reach of a permission that is held, else the refusal that fits what the caller may see."""
    scope = principal.scope(permission.code, item.site_id)
    within = view(scope, item.content_type.key, item.locale, item.created_by)
    if within is not None:
        return within
    if is_seen(principal, item):
        raise principal.refusal(permission.code, f"Your {permission.code} does not reach this item.")
    raise ItemNotFoundError


def require_everywhere(principal: Principal, permission: Permission, item: Item, locales: Iterable[str]) -> None:
    """For what happens to an item as a whole: within reach in each of its locales."""
    for locale in {item.locale, *locales}:
        require_item(principal, permission, replace(item, locale=locale))


def is_seen(principal: Principal, item: Item) -> bool:
    """Whether the caller may read anything of the item in its locale: the draft, or what is published."""
    if draft_view(principal, item) is not None:
        return True
    if item.published_version is None or not principal.may(READ.code, item.site_id):
        return False
    scope = principal.scope(READ.code, item.site_id)
    return view(scope, item.content_type.key, item.locale, item.created_by) is not None


def knows_item(
    principal: Principal, site_id: UUID, type_key: str, created_by: UUID | None, locales: Mapping[str, bool]
) -> bool:
    """Whether an item exists for the caller: they may read or write it in one of its locales (which are published)."""
    for permission in (UPDATE, READ_DRAFTS, READ):
        if principal.may(permission.code, site_id):
            scope = principal.scope(permission.code, site_id)
            there = [one for one, is_published in locales.items() if is_published or permission is not READ]
            if within_locales(scope, type_key, there, created_by):
                return True
    return False


def reads_fields(principal: Principal, site_id: UUID, type_key: str, locale: str | None) -> frozenset[str] | None:
    """The fields that the caller reads in every draft of a type in a locale; None is all."""
    if not principal.may(READ_DRAFTS.code, site_id):
        return frozenset()
    scope = principal.scope(READ_DRAFTS.code, site_id)
    if scope is None:
        return None
    reach = scope.at(type_key, locale)
    return reach.fields if reach is not None and reach.others else frozenset()


def require_known_type(principal: Principal, site_id: UUID, type_key: str) -> None:
    """Not found, as for a key that no type has, where nothing that the caller may do reaches the type."""
    for permission in (READ, READ_DRAFTS, CREATE):
        if principal.may(permission.code, site_id):
            scope = principal.scope(permission.code, site_id)
            if scope is None or scope.reaches_type(type_key):
                return
    raise unknown_type(type_key)


def require_type(
    principal: Principal, permission: Permission, site_id: UUID, type_key: str, locale: str | None = None
) -> View:
    """What of the caller's own items in a type (and locale) is within reach of a permission that is held."""
    scope = principal.scope(permission.code, site_id)
    if scope is None:
        return WHOLE
    require_known_type(principal, site_id, type_key)
    reach = scope.at(type_key, locale)
    if reach is None:
        where = f"{type_key} in {locale}" if locale is not None else type_key
        raise principal.refusal(permission.code, f"Your {permission.code} does not reach {where}.")
    return View(reach.own_fields)


def require_fields(writable: View, keys: Iterable[str]) -> None:
    """Refuse to write fields that are out of reach."""
    wrong = sorted(key for key in keys if not writable.shows(key))
    if wrong:
        raise FieldForbiddenError(
            errors=[FieldError(f"/data/{key}", "field_forbidden", "You may not write this field.") for key in wrong]
        )


def require_shared(principal: Principal, item: Item, keys: Iterable[str]) -> None:
    """Refuse to write fields that all locales of an item share, where any of these is out of reach."""
    scope = principal.scope(UPDATE.code, item.site_id)
    for locale in item.other_locales if scope is not None else ():
        require_fields(view(scope, item.content_type.key, locale, item.created_by) or NOTHING, keys)


def seen_locales(principal: Principal, item: Item) -> tuple[str, ...]:
    """The locales of an item in which the caller reads its draft."""
    if not principal.may(READ_DRAFTS.code, item.site_id):
        return ()
    scope = principal.scope(READ_DRAFTS.code, item.site_id)
    return within_locales(scope, item.content_type.key, item.locales, item.created_by)


def within_locales(
    scope: Scope | None, type_key: str, locales: Iterable[str], created_by: UUID | None
) -> tuple[str, ...]:
    """Those of an item's locales that are within reach."""
    return tuple(one for one in locales if view(scope, type_key, one, created_by) is not None)


def kept_fields(data: Mapping[str, Any], writable: View, seen: View | None) -> dict[str, Any]:
    """Of stored data, what a caller who replaces all of it leaves as it is: what is hidden or out of reach."""
    shown = seen or NOTHING
    return {key: value for key, value in data.items() if not (writable.shows(key) and shown.shows(key))}


def touched_fields(
    given: Iterable[str], old: Mapping[str, Any], new: Mapping[str, Any], seen: View | None
) -> list[str]:
    """Fields that a write is about. To send a field back as it was read touches nothing; a hidden one may not even be
    named, since the answer would tell whether it was guessed right."""
    shown = seen or NOTHING
    return [key for key in given if not shown.shows(key) or old.get(key) != new.get(key)]


def hidden_fields(principal: Principal, item: Item, keys: Iterable[str]) -> list[str]:
    """Those of the fields that the caller may not read in the draft."""
    shown = draft_view(principal, item) or NOTHING
    return sorted(key for key in keys if not shown.shows(key))


def sight(principal: Principal, site_id: UUID) -> Sight:
    """What the caller may see of what items point to."""
    return Sight(_seer(principal, site_id), principal.may(READ_ASSETS.code, site_id))


def _seer(principal: Principal, site_id: UUID) -> Sees | None:
    if principal.may(READ_DRAFTS.code, site_id) and principal.scope(READ_DRAFTS.code, site_id) is None:
        return None

    def sees(target: Target) -> bool:
        for permission in (READ_DRAFTS, READ) if target.published else (READ_DRAFTS,):
            if principal.may(permission.code, site_id):
                scope = principal.scope(permission.code, site_id)
                if view(scope, target.type_key, None, target.created_by) is not None:
                    return True
        return False

    return sees


def within(scope: Scope, body: bytes) -> bytes | None:
    """A document cut to what the scope shows; the same bytes where that is all of it, None where it is nothing."""
    document = json.loads(body)
    created_by = UUID(document["created_by"]) if document["created_by"] is not None else None
    seen = view(scope, document["type"], document["locale"], created_by)
    if seen is None:
        return None
    locales = within_locales(scope, document["type"], document["locales"], created_by)
    if seen.fields is None and len(locales) == len(document["locales"]):
        return body
    return json.dumps(
        {**document, "data": seen.project(document["data"]), "locales": locales, **_said_beside(document, seen)}
    )


def _said_beside(document: Mapping[str, Any], seen: View) -> dict[str, Any]:
    """What a document says of some of its fields, as far as the caller sees these."""
    found: dict[str, Any] = {}
    if "fallback_fields" in document:
        found["fallback_fields"] = seen.project(document["fallback_fields"])
    if "unpublished" in document:
        found["unpublished"] = [target for target in document["unpublished"] if seen.shows(target["field"])]
    return found

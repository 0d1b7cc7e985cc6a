"""Who acts. A `Principal` is a required argument of every service method; system work passes `SYSTEM`.

`may()` and `require()` ask whether a permission is held at all; `scope()` asks how far it reaches.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple
from uuid import UUID

from scaicms.kit.errors import AppError, ForbiddenError, UnauthorizedError

EVERYTHING = "*"
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Narrowing:
    """How far one grant reaches; None is no bound. `own_only`: items that the holder has created."""

    content_types: frozenset[str] | None = None
    locales: frozenset[str] | None = None
    fields: frozenset[str] | None = None
    own_only: bool = False

    def reaches(self, content_type: str | None, locale: str | None) -> bool:
        """Whether items of this type in this locale are within reach; None asks about some type or some locale."""
        types, locales = self.content_types, self.locales
        in_types = types is None or content_type is None or content_type in types
        return in_types and (locales is None or locale is None or locale in locales)

    def covers(self, other: "Narrowing") -> bool:
        """Whether everything within the other's reach is within this one's."""
        bounds = (
            (self.content_types, other.content_types),
            (self.locales, other.locales),
            (self.fields, other.fields),
        )
        wide = all(mine is None or (asked is not None and asked <= mine) for mine, asked in bounds)
        return wide and (other.own_only or not self.own_only)


UNBOUND = Narrowing()


class Rule(NamedTuple):
    """One grant as it is held: everywhere, or at one site."""

    permission: str
    site_id: UUID | None
    narrowing: Narrowing = UNBOUND


Place = tuple[UUID | None, str]


@dataclass(frozen=True, slots=True)
class Grants:
    """Permission codes held everywhere and per site. `*` is every permission there is or will be.

    `narrowed` holds, for the codes of a place that no grant gives without bounds, the bounds; it is mostly empty.
    """

    everywhere: frozenset[str] = _NOTHING
    by_site: Mapping[UUID, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    narrowed: Mapping[Place, tuple[Narrowing, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> "Grants":
        """The union of rules: one without bounds makes the narrower ones of its place idle."""
        places: dict[Place, set[Narrowing]] = {}
        for rule in rules:
            places.setdefault((rule.site_id, rule.permission), set()).add(rule.narrowing)
        everywhere: set[str] = set()
        by_site: dict[UUID, set[str]] = {}
        for site_id, code in places:
            (everywhere if site_id is None else by_site.setdefault(site_id, set())).add(code)
        return cls(
            frozenset(everywhere),
            {site_id: frozenset(codes) for site_id, codes in by_site.items()},
            {place: tuple(held) for place, held in places.items() if UNBOUND not in held},
        )

    def rules(self) -> list[Rule]:
        """All of it, rule by rule."""
        places: list[Place] = [(None, code) for code in self.everywhere]
        places += [(site_id, code) for site_id, codes in self.by_site.items() for code in codes]
        return [
            Rule(code, site_id, narrowing)
            for site_id, code in places
            for narrowing in self.narrowed.get((site_id, code), (UNBOUND,))
        ]

    def allow(self, permission: str, site_id: UUID | None) -> bool:
        if EVERYTHING in self.everywhere or permission in self.everywhere:
            return True
        if site_id is None:
            return False
        held = self.by_site.get(site_id, _NOTHING)
        return permission in held or EVERYTHING in held

    def bounds(self, permission: str, site_id: UUID | None) -> tuple[Narrowing, ...] | None:
        """The bounds within which a permission is held at a site, everywhere's included; None: it has none."""
        if not self.narrowed:
            return None
        found: list[Narrowing] = []
        for place in (None,) if site_id is None else (None, site_id):
            held = self.everywhere if place is None else self.by_site.get(place, _NOTHING)
            if EVERYTHING in held:
                return None
            if permission in held:
                narrowed = self.narrowed.get((place, permission))
                if narrowed is None:
                    return None
                found += narrowed
        return tuple(found)


class Reach(NamedTuple):
    """How far a permission reaches in one content type and locale.

    `others`: into items of anybody, else into the caller's own alone. `fields` of others' items and `own_fields` of
    one's own; None is all.
    """

    others: bool
    fields: frozenset[str] | None
    own_fields: frozenset[str] | None

    @property
    def all_rows(self) -> frozenset[str] | None:
        """Fields within reach in every item that is within reach: what one may filter and sort by."""
        return self.fields if self.others else self.own_fields


@dataclass(frozen=True, slots=True)
class Scope:
    """What a narrowed permission reaches at a site: the union of its bounds. `owner_id`: who "own" means."""

    bounds: tuple[Narrowing, ...]
    owner_id: UUID | None

    @property
    def content_types(self) -> frozenset[str] | None:
        """The content types of which anything is within reach; None is all."""
        return _union(bound.content_types for bound in self.bounds)

    def reaches_type(self, content_type: str) -> bool:
        return any(bound.reaches(content_type, None) for bound in self.bounds)

    def at(self, content_type: str, locale: str | None) -> Reach | None:
        """The reach in a type and locale; None when nothing there is within it."""
        near = [b for b in self.bounds if b.reaches(content_type, locale) and not (b.own_only and not self.owner_id)]
        if not near:
            return None
        general = [bound for bound in near if not bound.own_only]
        return Reach(
            others=bool(general),
            fields=_union(bound.fields for bound in general),
            own_fields=_union(bound.fields for bound in near),
        )

    def is_own(self, created_by: UUID | None) -> bool:
        return created_by is not None and created_by == self.owner_id


def _union(sets: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    merged: frozenset[str] = _NOTHING
    for one in sets:
        if one is None:
            return None
        merged |= one
    return merged


@dataclass(frozen=True, slots=True)
class Principal:
    """The acting user, API key, anonymous caller or the system itself, with what it may do.

    `site_ids` narrows where it may act at all: None is anywhere its grants reach. `owner_id` is whom an API key acts
    for: what the key creates is its owner's, so that the key never reaches further.
    """

    kind: Literal["user", "api_key", "anonymous", "system"]
    id: UUID | None
    name: str
    grants: Grants
    session_id: UUID | None = None
    site_ids: frozenset[UUID] | None = None
    owner_id: UUID | None = None

    @property
    def is_anonymous(self) -> bool:
        return self.kind == "anonymous"

    @property
    def author_id(self) -> UUID | None:
        """Whose the things are that this principal creates."""
        return self.owner_id or self.id

    def may(self, permission: str, site_id: UUID | None = None) -> bool:
        """Whether `permission` (`resource:action`) is held at the site, or everywhere if `site_id` is None."""
        if self.site_ids is not None and site_id is not None and site_id not in self.site_ids:
            return False
        return self.grants.allow(permission, site_id)

    def may_enter(self, site_id: UUID) -> bool:
        """Whether the site exists for this caller: some permission is held there."""
        if self.site_ids is not None and site_id not in self.site_ids:
            return False
        return bool(self.grants.everywhere or self.grants.by_site.get(site_id))

    def require(self, permission: str, site_id: UUID | None = None) -> None:
        """Raise unless `permission` is held: 401 for a caller nobody knows yet, 403 for one we know."""
        if not self.may(permission, site_id):
            raise self.refusal(permission)

    def refusal(self, permission: str, message: str | None = None) -> AppError:
        """The error for what this principal may see but not do."""
        if self.is_anonymous:
            return UnauthorizedError()
        said = message or f"You need the permission {permission} for this."
        return ForbiddenError(said, extra={"permission": permission})

    def scope(self, permission: str, site_id: UUID | None) -> Scope | None:
        """How far a permission that is held reaches at a site; None: without bounds, which is by far the most
        frequent answer and costs one look."""
        if not self.grants.narrowed:
            return None
        bounds = self.grants.bounds(permission, site_id)
        return None if bounds is None else Scope(bounds, self.author_id)

    def covers(self, rule: Rule) -> bool:
        """Whether this principal itself holds all that a rule would give."""
        if not self.may(rule.permission, rule.site_id):
            return False
        scope = self.scope(rule.permission, rule.site_id)
        return scope is None or any(bound.covers(rule.narrowing) for bound in scope.bounds)


SYSTEM = Principal(kind="system", id=None, name="system", grants=Grants(frozenset({EVERYTHING})))
ANONYMOUS = Principal(kind="anonymous", id=None, name="anonymous", grants=Grants())

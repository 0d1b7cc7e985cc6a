"""The catalogue of permissions, and who holds which and why."""

from collections.abc import Iterable, Mapping
from pkgutil import resolve_name
from types import MappingProxyType
from uuid import UUID

from scaicms.features.permissions import permissions
from scaicms.features.permissions.errors import SubjectNotFoundError, TargetNotFoundError
from scaicms.features.permissions.explaining import explain
from scaicms.features.permissions.schemas import BoundsOut, EffectiveOut, EffectiveQuery, Explain, Explanation
from scaicms.infra.services import Service, Services
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.permissions import Permission
from scaicms.kit.principal import EVERYTHING, Grants, Principal
from scaicms.web.authority import Subject, SubjectFinder, TargetFacts, TargetFinder

_declared: dict[str, Permission] = {}
_subjects: dict[str, str] = {}
_targets: dict[str, str] = {}


def declare(declared: Iterable[Permission], *, subjects: Mapping[str, str], targets: Mapping[str, str]) -> None:
    """Make known what all features declare; called once at start-up."""
    _declared.update({permission.code: permission for permission in declared})
    _subjects.update(subjects)
    _targets.update(targets)


class PermissionService(Service):
    """Knows every permission that a feature has declared."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._services = services

    @property
    def known(self) -> Mapping[str, Permission]:
        return MappingProxyType(_declared)

    def unknown(self, codes: Iterable[str]) -> list[str]:
        """Of these codes, those that no feature declares (`*` is every permission)."""
        return sorted({code for code in codes if code != EVERYTHING and code not in _declared})

    def list_permissions(self, principal: Principal) -> list[Permission]:
        principal.require(permissions.READ.code)
        return sorted(_declared.values(), key=lambda permission: permission.code)

    async def effective(self, principal: Principal, query: EffectiveQuery) -> list[EffectiveOut]:
        """What somebody may do: the caller, or with `permissions:read` anybody.

        Raises:
            SubjectNotFoundError: there is no such user.
        """
        if query.user_id is None:
            return _listed(principal.grants, query.site_id)
        if query.user_id != principal.id:
            principal.require(permissions.READ.code)
        subject = await self._subject("user", query.user_id, query.site_id)
        rules = [held.rule for held in subject.held] if subject.barred is None else []
        if query.site_id is not None and subject.barred is None:
            rules += [held.rule for held in (await self._subject("anonymous", None, query.site_id)).held]
        return _listed(Grants.of(rules), query.site_id)

    async def explain(self, principal: Principal, question: Explain) -> Explanation:
        """Whether somebody may do something, and the rules that decided.

        Raises:
            SubjectNotFoundError: there is no such principal.
            TargetNotFoundError: there is no such target.
            InvalidError: there is no such action, or it needs a site.
        """
        principal.require(permissions.READ.code)
        asked, target = question.principal, question.target
        permission = _declared.get(question.action)
        if permission is None:
            message = f"Nothing is called {question.action}; see GET /permissions."
            raise InvalidError(errors=[FieldError("/action", "unknown_permission", message)])
        if permission.scope == "site" and target.site_id is None:
            raise InvalidError(errors=[FieldError("/target/site_id", "required", "This is permitted site by site.")])
        subject = await self._subject(asked.kind, asked.id, target.site_id)
        facts = await self._facts(target.content_id, target.site_id, target.locale)
        known = target.site_id is not None and subject.kind != "anonymous"
        everybody = (await self._subject("anonymous", None, target.site_id)).held if known else ()
        return explain(subject, everybody, permission, target, facts)

    async def _subject(self, kind: str, subject_id: UUID | None, site_id: UUID | None) -> Subject:
        find: SubjectFinder = resolve_name(_subjects[kind])
        subject = await find(self._services, subject_id, site_id)
        if subject is None:
            raise SubjectNotFoundError
        return subject

    async def _facts(self, content_id: UUID | None, site_id: UUID | None, locale: str | None) -> TargetFacts | None:
        if content_id is None:
            return None
        find: TargetFinder = resolve_name(_targets["content"])
        facts = await find(self._services, content_id, site_id, locale) if site_id is not None else None
        if facts is None:
            raise TargetNotFoundError
        return facts


def _listed(grants: Grants, site_id: UUID | None) -> list[EffectiveOut]:
    """Every permission that is held, `*` spelt out; at one site (with what is held everywhere), or at each."""
    places = [None, site_id] if site_id is not None else [None, *grants.by_site]
    items = []
    for code, permission in sorted(_declared.items()):
        for place in places:
            if place is not None and permission.scope == "global":
                continue
            held = grants.everywhere if place is None else grants.by_site.get(place, frozenset())
            if code in held or EVERYTHING in held:
                narrowed = None if EVERYTHING in held else grants.narrowed.get((place, code))
                bounds = [BoundsOut.of(narrowing) for narrowing in narrowed] if narrowed is not None else None
                items.append(EffectiveOut(permission=code, site_id=place, bounds=bounds))
    return items

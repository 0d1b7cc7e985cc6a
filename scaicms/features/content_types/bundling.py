"""Bundles: the configuration of a site as one document, of parts that features contribute."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from scaicms.features.content_types.errors import BundleBlockedError
from scaicms.infra import db
from scaicms.infra.services import Service, Services
from scaicms.kit.errors import BadRequestError, FieldError, ForbiddenError, InvalidError, UnauthorizedError
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import MAX_ERRORS, field_errors
from scaicms.kit.sites import Site
from scaicms.web.bundles import BundlePart

VERSION = 1

_declared: dict[str, str] = {}


def declare(parts: Mapping[str, str]) -> None:
    """Make the parts of all features known: name to where it is. Called once at start-up."""
    _declared.update(parts)


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between a site and a bundle. `extra`: the site has it, the bundle does not; it stays."""

    part: str
    key: str
    op: Literal["create", "update", "extra"]
    changes: Sequence[str] = ()
    """Members that differ."""
    hindrances: Sequence[str] = ()
    notes: Sequence[str] = ()
    """What is left to do by hand."""


@dataclass(slots=True)
class _Read:
    """A part of a bundle beside the same part of the site."""

    part: BundlePart
    there: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)


class BundleService(Service):
    """Reads a site as a bundle, compares one with it, applies one to it."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._services = services

    async def read(self, principal: Principal, site: Site, names: Sequence[str] | None) -> dict[str, Any]:
        """The site's configuration; of these parts, or of all that the caller may read (`left_out`: the others)."""
        unknown = sorted(set(names or ()) - _declared.keys())
        if unknown:
            known = ", ".join(_declared)
            raise BadRequestError(f"parts: there is no {', '.join(unknown)}. Known: {known}.", code="unknown_part")
        document: dict[str, Any] = {"version": VERSION}
        left_out: list[str] = []
        for name in names or _declared:
            try:
                entries = await _part(name).read(self._services, principal, site)
            except (ForbiddenError, UnauthorizedError):
                if names is not None:
                    raise
                left_out.append(name)
                continue
            document[name] = [entry.model_dump(mode="json", exclude_defaults=True) for entry in entries]
        return {**document, "left_out": left_out} if left_out else document

    async def compare(self, principal: Principal, site: Site, document: Mapping[str, Any]) -> list[Drift]:
        """How the site differs from a bundle; of parts that the bundle does not have, nothing is said."""
        read = await self._read(principal, site, document)
        return [drift for name, part in read.items() for drift in _drift(name, part)]

    async def apply(self, principal: Principal, site: Site, document: Mapping[str, Any]) -> list[Drift]:
        """Make the site what a bundle says, all of it or nothing; what only the site has stays.

        Raises:
            BundleBlockedError: something cannot be changed at once; `errors` say what.
        """
        async with db.transaction():
            read = await self._read(principal, site, document)
            found = [drift for name, part in read.items() for drift in _drift(name, part)]
            blocked = [
                FieldError(f"/{drift.part}/{drift.key}", "plan_required", reason)
                for drift in found
                for reason in drift.hindrances
            ]
            if blocked:
                raise BundleBlockedError(errors=blocked)
            for drift in found:
                if drift.op != "extra":
                    part = read[drift.part]
                    entry, is_new = part.given[drift.key], drift.op == "create"
                    await part.part.write(self._services, principal, site, entry, is_new)
        return found

    async def _read(self, principal: Principal, site: Site, document: Mapping[str, Any]) -> dict[str, _Read]:
        _check_members(document)
        read: dict[str, _Read] = {}
        # In the order of the features, not of the document: lower ones first.
        for name in (name for name in _declared if name in document):
            part = _part(name)
            there = await part.read(self._services, principal, site)
            read[name] = _Read(
                part, _by_key(name, there), _by_key(name, await asyncio.to_thread(_entries, name, part, document[name]))
            )
        return read


def _part(name: str) -> BundlePart:
    part: BundlePart = resolve_name(_declared[name])
    return part


def _check_members(document: Mapping[str, Any]) -> None:
    unknown = sorted(document.keys() - _declared.keys() - {"version", "left_out"})
    if unknown:
        known = ", ".join(_declared)
        raise InvalidError(
            errors=[FieldError(f"/{name}", "unknown_field", f"Parts of a bundle are {known}.") for name in unknown]
        )


def _entries(name: str, part: BundlePart, given: Any) -> list[BaseModel]:
    if not isinstance(given, list):
        raise InvalidError(errors=[FieldError(f"/{name}", "list_type", "A part is a list of entries.")])
    entries, errors = [], []
    for number, entry in enumerate(given):
        try:
            entries.append(part.entry.model_validate(entry))
        except ValidationError as error:
            errors += field_errors(error, f"/{name}/{number}")
        if len(errors) > MAX_ERRORS:
            break
    if errors:
        raise InvalidError(errors=errors)
    return entries


def _by_key(name: str, entries: Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, entry in enumerate(entries):
        if entry.key in found:
            raise InvalidError(
                errors=[FieldError(f"/{name}/{number}/key", "duplicate_key", "This key is given twice.")]
            )
        found[entry.key] = entry
    return found


def _drift(name: str, read: _Read) -> list[Drift]:
    found = []
    for key, entry in read.given.items():
        there = read.there.get(key)
        if there is None:
            found.append(Drift(name, key, "create", notes=read.part.notes(None, entry)))
            continue
        old, new = there.model_dump(mode="json"), entry.model_dump(mode="json")
        changed = [member for member in new if old[member] != new[member]]
        if changed:
            part = read.part
            hindrances, notes = part.hindrances(there, entry), part.notes(there, entry)
            found.append(Drift(name, key, "update", changed, hindrances, notes))
    return found + [Drift(name, key, "extra") for key in read.there if key not in read.given]

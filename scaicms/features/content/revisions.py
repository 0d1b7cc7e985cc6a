"""Use cases of revisions: reading them, comparing them, making an old one the draft again."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.content import access, repository, revision_repository
from scaicms.features.content.differences import Comparison
from scaicms.features.content.errors import ItemNotFoundError, RevisionNotFoundError
from scaicms.features.content.records import Item
from scaicms.features.content.revision_schemas import FieldChange, RestoreRevision
from scaicms.features.content.service import ContentService, Written
from scaicms.features.taxonomies.service import ItemTerm, TermLinks
from scaicms.infra import db, lists
from scaicms.infra.lists import Found
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import ListQuery
from scaicms.kit.sites import Site


@dataclass(frozen=True, slots=True)
class Revision:
    """A version of a draft, as far as the caller may read it; in lists without data and terms."""

    number: int
    locale: str
    kind: str
    source: int | None
    slug: str
    created_at: datetime
    created_by: UUID | None
    is_current: bool
    is_published: bool
    data: Mapping[str, Any]
    terms: Sequence[ItemTerm]
    lost_terms: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Difference:
    """Two revisions, and the fields that differ; `against` None is nothing at all."""

    revision: Revision
    against: Revision | None
    fields: Mapping[str, FieldChange]


@dataclass(frozen=True, slots=True)
class Restored:
    """The item after a restore, and the revision that it was restored from."""

    written: Written
    revision: Revision


class RevisionService(Service):
    """Revisions of an item in one locale. Who may not read its draft learns nothing of them; nor of fields of theirs
    that are out of reach in the draft."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._content = services.get(ContentService)
        self._terms = services.get(TermLinks)

    async def page(
        self, principal: Principal, site: Site, item_id: UUID, locale: str | None, query: ListQuery
    ) -> Found[Revision]:
        """The newest first."""
        item = await self._content.draft(principal, site, item_id, locale)
        found = await lists.read_page(self.resources, revision_repository.revisions(item), query)
        return found.each(lambda row: _revision(item, row, {}, ()))

    async def get(self, principal: Principal, site: Site, item_id: UUID, locale: str | None, number: int) -> Revision:
        """One revision."""
        item = await self._content.draft(principal, site, item_id, locale)
        return await self._seen(principal, site, item, await revision_repository.find(item, number))

    async def compare(
        self, principal: Principal, site: Site, item_id: UUID, locale: str | None, number: int, against: int | None
    ) -> Difference:
        """What a revision has otherwise than another, by default the one before."""
        item = await self._content.draft(principal, site, item_id, locale)
        revision = await self._seen(principal, site, item, await revision_repository.find(item, number))
        if against is None:
            row = await revision_repository.find_before(item, number)
            other = await self._seen(principal, site, item, row) if row is not None else None
        else:
            other = await self._seen(principal, site, item, await revision_repository.find(item, against))
        comparison = Comparison(item.content_type)
        # Up to half a second of computing: not on the loop that serves everybody.
        fields = await asyncio.to_thread(comparison.fields, other.data if other is not None else {}, revision.data)
        return Difference(revision, other, fields)

    async def restore(
        self,
        principal: Principal,
        site: Site,
        item_id: UUID,
        locale: str | None,
        number: int,
        wanted: RestoreRevision,
        *,
        expected_version: int | None = None,
    ) -> Restored:
        """A new version of the draft with what a revision had: all of it, or some fields. What the caller does not see
        stays as it is, and so do terms that are gone.

        Raises:
            InvalidError: there are no such fields, or what they had does not fit the type as it is now.
        """
        with_terms = wanted.fields is None if wanted.taxonomies is None else wanted.taxonomies
        async with db.transaction():
            if with_terms:
                await self._terms.hold(site)
            # The type first: a change of it would rewrite the revision between reading and saving it.
            await repository.hold_type_of(site.id, item_id)
            revision = await self.get(principal, site, item_id, locale, number)
            item = await self._content.draft(principal, site, item_id, revision.locale)
            await revision_repository.announce(f"restored:{number}:{revision.locale}")
            written = await self._content.save(
                principal,
                site,
                item_id,
                dict(revision.data) if wanted.fields is None else _chosen(principal, item, revision, wanted.fields),
                taxonomies=_given(revision.terms) if with_terms else None,
                locale=revision.locale,
                slug=revision.slug if wanted.slug else None,
                merge=wanted.fields is not None,
                all_terms=with_terms,
                expected_version=expected_version,
            )
            await revision_repository.announce("")
            return Restored(written, revision)

    async def _seen(self, principal: Principal, site: Site, item: Item, row: Record | None) -> Revision:
        if row is None:
            raise RevisionNotFoundError
        view = access.draft_view(principal, item)
        if view is None:
            raise ItemNotFoundError
        terms = await self._terms.called(site, row["terms"], item.locale)
        return _revision(item, row, view.project(json.loads(row["data"])), terms)


def _revision(item: Item, row: Record, data: Mapping[str, Any], terms: Sequence[ItemTerm]) -> Revision:
    there = {term.id for term in terms}
    return Revision(
        number=row["number"],
        locale=row["locale"],
        kind=row["kind"],
        source=row["source"],
        slug=row["slug"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        is_current=row["number"] == item.version,
        is_published=row["number"] == item.published_version,
        data=data,
        terms=terms,
        lost_terms=[term_id for term_id in row["terms"] if term_id not in there],
    )


def _chosen(principal: Principal, item: Item, revision: Revision, keys: Sequence[str]) -> dict[str, Any]:
    """What these fields had; null where they had nothing."""
    view = access.draft_view(principal, item) or access.NOTHING
    unknown = [key for key in keys if key not in item.content_type.fields or not view.shows(key)]
    if unknown:
        raise InvalidError(
            "There are no such fields.",
            errors=[
                FieldError(f"/fields/{keys.index(key)}", "unknown_field", f"{item.content_type.key} has no {key}.")
                for key in unknown
            ],
        )
    return {key: revision.data.get(key) for key in keys}


def _given(terms: Sequence[ItemTerm]) -> dict[str, list[str]]:
    by_taxonomy: dict[str, list[str]] = {}
    for term in terms:
        by_taxonomy.setdefault(term.taxonomy, []).append(str(term.id))
    return by_taxonomy

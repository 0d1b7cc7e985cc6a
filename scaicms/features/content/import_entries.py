"""Writing rows of an import into items that are there: what is theirs, and what all locales of the item share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.content import access, permissions, translation_repository
from scaicms.features.content.import_publication import ImportedPublication
from scaicms.features.content.reading.mapping import MappedRow
from scaicms.features.content.reading.marks import Verdict
from scaicms.features.content.service import ContentService, Written
from scaicms.features.content.translations import TranslationService
from scaicms.features.content_types.service import CompiledType, validate_data
from scaicms.features.taxonomies.service import TermLinks
from scaicms.infra import db
from scaicms.kit import json
from scaicms.kit.errors import AppError, FieldError, InvalidError
from scaicms.kit.locales import known_locale
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _There:
    """An item as a row finds it: its drafts by locale."""

    item_id: UUID
    slug: str
    drafts: Mapping[str, Record]
    locale: str
    """That of the row."""
    views: Mapping[str, access.View | None]
    """What the importer may read of the item in each locale."""

    def shows(self, locale: str, key: str) -> bool:
        """Whether the importer may know the value of a field."""
        seen = self.views.get(locale)
        return seen is not None and seen.shows(key)

    @property
    def synchronous(self) -> list[str]:
        """The other locales of which all is published."""
        return [one for one in self.drafts if one != self.locale and self.is_current(one)]

    def is_current(self, locale: str) -> bool:
        """Whether all of the locale's draft is published."""
        row = self.drafts[locale]
        return bool(row["published_version"] == row["version"])

    def data(self, locale: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.drafts[locale]["data"])
        return found


@dataclass(frozen=True, slots=True)
class Entered:
    """`updated`, or `translated` where the locale is new; and what was done about its publication."""

    outcome: str
    verdict: Verdict | None


class ImportedEntries:
    """Updates of one import. Shared fields and terms are those of the leading row: that of the site's default locale,
    or where the item has none, of the first that it has in the order of the site's."""

    def __init__(
        self,
        content: ContentService,
        translations: TranslationService,
        links: TermLinks,
        publication: ImportedPublication,
        principal: Principal,
        site: Site,
        content_type: CompiledType,
    ) -> None:
        self._content = content
        self._translations = translations
        self._links = links
        self._principal = principal
        self._site = site
        self._type = content_type
        self._publication = publication
        self._order = (site.default_locale, *(one for one in site.locales if one != site.default_locale))

    def first(self, locales: Sequence[str]) -> str:
        """The one of an item's locales that leads."""
        return min(locales, key=lambda one: self._order.index(one) if one in self._order else len(self._order))

    async def locales_of(self, item_id: UUID) -> list[str]:
        """Those that the item has outside the trash and the site still knows."""
        rows = await translation_repository.entries(self._site.id, item_id)
        return [row["locale"] for row in rows if row["locale"] in self._order]

    async def write(
        self,
        item_id: UUID,
        mapped: MappedRow,
        given: Mapping[str, Sequence[str]],
        verdict: Verdict | None,
        warn: Warn,
    ) -> Entered | None:
        """Make the row what its locale of the item says, and publish it by its `verdict`, unless that is None. None
        where the item has been deleted.

        Raises:
            ItemNotFoundError: it is there, and not for the importer to see.
        """
        rows = await translation_repository.entries(self._site.id, item_id)
        if not rows:
            return None
        locale = known_locale(self._site, mapped.locale)
        drafts = {row["locale"]: row for row in rows if row["locale"] in self._order}
        there = _There(item_id, rows[0]["slug"], drafts, locale, self._views(rows[0], [locale, *drafts]))
        leader = self.first([locale, *drafts])
        if leader == locale:
            await self._lead(there, mapped, given, warn)
        else:
            shows = await self._follow(there, leader, mapped, given, warn)
            if verdict is not None and shows and not there.is_current(leader):
                verdict = await self._held_back(there, leader, shows, verdict)
        if verdict is not None:
            was_published = locale in drafts and drafts[locale]["published_version"] is not None
            await self._publication.apply(item_id, locale, verdict, is_published=was_published)
            if leader == locale and there.synchronous and verdict.state == "publish":
                await self._publish_anew(there, warn)
        return Entered("updated" if locale in drafts else "translated", verdict)

    def _views(self, row: Record, locales: Sequence[str]) -> dict[str, access.View | None]:
        if not self._principal.may(permissions.READ_DRAFTS.code, self._site.id):
            return {}
        scope = self._principal.scope(permissions.READ_DRAFTS.code, self._site.id)
        return {one: access.view(scope, self._type.key, one, row["created_by"]) for one in locales}

    async def _lead(self, there: _There, mapped: MappedRow, given: Mapping[str, Sequence[str]], warn: Warn) -> None:
        """Write the row as it is, shared fields for all locales."""
        is_new = there.locale not in there.drafts
        if is_new:
            added, _ = await self._translations.put(
                self._principal, self._site, there.item_id, there.locale, mapped.data
            )
            _report_lapse(added, warn)
        saved = await self._content.save(
            self._principal, self._site, there.item_id, mapped.data, taxonomies=given, locale=there.locale, merge=False
        )
        _report_lapse(saved, warn)
        if is_new and there.drafts:
            rows = await translation_repository.entries(self._site.id, there.item_id)
            after = next(json.loads(row["data"]) for row in rows if row["locale"] == there.locale)
            before, own = there.data(self.first(list(there.drafts))), self._type.localized_keys
            known = [key for key in before.keys() | after.keys() if there.shows(there.locale, key)]
            shared = sorted(set(known) - own)
            if changed := [key for key in shared if before.get(key) != after.get(key)]:
                warn(f"{', '.join(changed)}: shared by all locales, and now as this one says.")

    async def _follow(
        self, there: _There, leader: str, mapped: MappedRow, given: Mapping[str, Sequence[str]], warn: Warn
    ) -> list[str]:
        """Write what is the locale's own; what is shared stays as the leading row has it, and where this one says
        something else that is said. Gives the shared fields whose values neither this row nor the type says."""
        own, base = self._type.localized_keys, there.data(leader)
        data = {key: value for key, value in mapped.data.items() if key in own}
        if not data:
            message = (
                f"Nothing of it is localized in {self._type.key}, so that {there.locale} would say what {leader} does."
            )
            raise InvalidError(message, errors=[FieldError("/locale", "nothing_localized", message)])
        shared = {key: value for key, value in base.items() if key not in own}
        checked = await validate_data(self._type, {**shared, **mapped.data}, base)
        named = [key for key in mapped.data if key not in own and (mapped.names_itself or key != "title")]
        known = [key for key in named if there.shows(leader, key)]
        if differing := sorted(key for key in known if checked.get(key) != base.get(key)):
            warn(f"{', '.join(differing)}: shared by all locales, and left as {leader} has it.")
        if mapped.has_slug and mapped.slug != there.slug and any(there.views.values()):
            warn(f"An item has one slug; it stays {there.slug}, not {mapped.slug}.")
        await self._compare_terms(there, leader, given, warn)
        written, _ = await self._translations.put(self._principal, self._site, there.item_id, there.locale, data)
        _report_lapse(written, warn)
        fields = self._type.fields
        not_said = [key for key in shared if key not in known and shared[key] != fields[key].default]
        return sorted({*not_said, *differing} & shared.keys())

    async def _held_back(self, there: _There, leader: str, shows: Sequence[str], verdict: Verdict) -> Verdict:
        """The verdict on a row that would show values of its leading row, which is not public itself."""
        if verdict.state == "draft" or await self._publication.is_public_by(there.item_id, leader, verdict.start):
            return verdict
        reason = "it shares values with a locale that is not published"
        if known := [key for key in shows if there.shows(leader, key)]:
            reason = f"{', '.join(known)}: shared with {leader}, which is not published"
        return Verdict("draft", reason, is_certain=False, warning=f"Not published: {reason}.")

    async def _compare_terms(self, there: _There, leader: str, given: Mapping[str, Sequence[str]], warn: Warn) -> None:
        if not given or not there.shows(leader, "taxonomies"):
            return
        found = await self._links.of_items(self._site, [there.item_id], leader)
        terms = {(term.taxonomy, str(term.id)) for term in found.get(there.item_id, ())}
        for key, names in given.items():
            if {(key, name) for name in names} != {term for term in terms if term[0] == key}:
                warn(f"taxonomies.{key}: shared by all locales, and left as {leader} has it.")

    async def _publish_anew(self, there: _There, warn: Warn) -> None:
        """Let what was published in other locales show what it shares with this one now."""
        rows = await translation_repository.entries(self._site.id, there.item_id)
        behind = {row["locale"] for row in rows if row["published_version"] != row["version"]}
        for locale in there.synchronous:
            if locale in behind:
                try:
                    async with db.transaction():
                        await self._content.publish(self._principal, self._site, there.item_id, locale=locale)
                except AppError as error:
                    if db.is_race(error) or error.status >= 500:
                        raise
                    if there.views.get(locale) is not None:
                        warn(f"{locale} shows its shared fields as they were: {error.in_words}")


def _report_lapse(written: Written, warn: Warn) -> None:
    item = written.item
    if item.lapsed_stage is not None and item.stage is not None:
        warn(f"The item is no longer in the stage {item.lapsed_stage}. It is in {item.stage.key} after this change.")

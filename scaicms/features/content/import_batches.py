"""Taking in the rows of an import, in batches that commit together with their progress."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any
from uuid import UUID

from scaicms.features.content import access, import_sources, permissions, repository, revision_repository
from scaicms.features.content.errors import SlugTakenError, SourceTakenError
from scaicms.features.content.import_entries import ImportedEntries
from scaicms.features.content.import_publication import ImportedPublication
from scaicms.features.content.import_report import Report
from scaicms.features.content.import_sources import Caller, Joined, Sources
from scaicms.features.content.import_terms import ImportedTerms, Named
from scaicms.features.content.importing import ImportOptions, ImportService, keys_of, mapping_of
from scaicms.features.content.publishing import PublishingService
from scaicms.features.content.reading.mapping import MappedRow, apply_mapping
from scaicms.features.content.reading.marks import Verdict
from scaicms.features.content.reading.naming import Naming
from scaicms.features.content.reading.rows import BadRow, Row
from scaicms.features.content.reading.sources import open_source
from scaicms.features.content.scheduling import ScheduleService
from scaicms.features.content.schemas import CreateItem
from scaicms.features.content.service import ContentService
from scaicms.features.content.translations import TranslationService
from scaicms.features.content_types.service import CompiledType
from scaicms.features.taxonomies.service import TermLinks, TermService
from scaicms.infra import db
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.errors import AppError
from scaicms.kit.locales import known_locale
from scaicms.kit.principal import Principal, Scope
from scaicms.kit.sites import Site

BATCH = 25
MAX_BATCH = 10 * BATCH
"""Rows that may stay together because they say that they are one item."""
BATCH_CHARACTERS = 16 * 1024 * 1024
SLUG_TRIES = (20, 200, 2000)
"""How many slugs are looked at in one go, until one is free."""

Checkpoint = Callable[[dict[str, Any]], Awaitable[None]]


class ImportBatches(Service):
    """Imports into one content type, idempotently: what did not change since the last run stays as it is."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._imports = services.get(ImportService)
        self._content = services.get(ContentService)
        self._translations = services.get(TranslationService)
        self._terms = services.get(TermService)
        self._links = services.get(TermLinks)
        self._publishing = services.get(PublishingService)
        self._schedule = services.get(ScheduleService)

    async def batches(
        self,
        principal: Principal,
        site: Site,
        path: Path,
        options: ImportOptions,
        *,
        filename: str,
        checkpoint: Checkpoint,
        resume: dict[str, Any] | None = None,
    ) -> AsyncIterator[Report]:
        """Read `path` and store its rows; gives the report after each batch.

        `checkpoint` runs in each batch's transaction, with the report that `resume` takes to go on from there.

        Raises:
            SourceError: the source as a whole cannot be read.
        """
        content_type = await self._imports.check(principal, site, options)
        terms = ImportedTerms(self._terms, principal, site, dry_run=options.dry_run)
        publication = ImportedPublication(self._publishing, self._schedule, principal, site)
        ways = (self._content, self._translations, self._links, publication)
        entries = ImportedEntries(*ways, principal, site, content_type)
        importer = _Importer(
            self._content, terms, entries, publication, principal, site, content_type, options, filename
        )
        source = open_source(path, name=filename, naming=_naming(site, content_type, options))
        report = Report.resumed(resume) or Report(total=await asyncio.to_thread(source.count))
        batches = _batches(source.rows(report.done))
        while batch := await asyncio.to_thread(next, batches, None):
            before = terms.made
            await importer.prepare(batch)
            report.terms_made += terms.made - before
            report.ignored_files = len(source.ignored)
            report = await in_one_go(report, partial(self._take_in, site, importer, batch, checkpoint))
            yield report

    async def _take_in(
        self, site: Site, importer: "_Importer", batch: Sequence[Row | BadRow], checkpoint: Checkpoint, report: Report
    ) -> None:
        await self._links.hold(site)
        await revision_repository.announce("imported")
        for rows in _by_item(batch):
            await importer.take(rows, report)
        await checkpoint(report.as_dict())


async def in_one_go(report: Report, take: Callable[[Report], Awaitable[None]]) -> Report:
    """The report after a batch in a transaction of its own, which is done again where it lost a race."""

    async def tried() -> Report:
        now = report.copy()
        async with db.transaction():
            await take(now)
        return now

    return await db.again(tried)


def _naming(site: Site, content_type: CompiledType, options: ImportOptions) -> Naming | None:
    """How rows say in which locale they are, where there is more than one."""
    if len(site.locales) == 1:
        return None
    locales = (site.default_locale, *(one for one in site.locales if one != site.default_locale))
    return Naming(locales, frozenset(content_type.fields), mapping_of(content_type, options))


def _batches(rows: Iterator[Row | BadRow]) -> Iterator[list[Row | BadRow]]:
    """Some rows at a time, all of an item together: a dry run sees its locales at once. Not at any price: a batch is in
    memory as a whole."""
    batch: list[Row | BadRow] = []
    size = 0
    for row in rows:
        full = len(batch) >= BATCH and (_item_of(row) != _item_of(batch[-1]) or len(batch) >= MAX_BATCH)
        if full or size > BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += _size_of(row)
    if batch:
        yield batch


def _size_of(row: Row | BadRow) -> int:
    if isinstance(row, BadRow):
        return 0
    return len(row.body or "") + sum(len(value) for value in row.values.values() if isinstance(value, str))


def _by_item(batch: Iterable[Row | BadRow]) -> list[list[Row | BadRow]]:
    return [list(rows) for _, rows in groupby(batch, _item_of)]


def _item_of(row: Row | BadRow) -> object:
    return row.item_key if isinstance(row, Row) else row


def _within(scope: Scope | None, locale: str) -> Scope | None:
    """The reach in the locale of a row, which its item may not have yet: that is asked when it is written."""
    if scope is None:
        return None
    return replace(scope, bounds=tuple(replace(one, locales=None) for one in scope.bounds if one.reaches(None, locale)))


class _UndoError(Exception):
    """Leaves a dry run's savepoint."""


class _Importer:
    """One import's constants, and what happens to the rows of a single item."""

    def __init__(
        self,
        content: ContentService,
        terms: ImportedTerms,
        entries: ImportedEntries,
        publication: ImportedPublication,
        principal: Principal,
        site: Site,
        content_type: CompiledType,
        options: ImportOptions,
        filename: str,
    ) -> None:
        self._content = content
        self._terms = terms
        self._entries = entries
        self._publication = publication
        self._principal = principal
        self._site = site
        self._type = content_type
        self._options = options
        self._filename = filename
        self._mapping = mapping_of(content_type, options)
        # The same file under another mapping is another input.
        raw = self._mapping.model_dump(mode="json", by_alias=True) if self._mapping else None
        self._salt = json.dumps({"mapping": raw, "version": content_type.version, "publish": options.publish})

    async def prepare(self, batch: Iterable[Row | BadRow]) -> None:
        """Have the terms at hand that new and changed rows name. Those that follow another row name none that are new:
        they may have names of their own for what its terms are called."""
        await self._publication.set_time()
        if self._mapping is None or not self._mapping.taxonomies:
            return
        named: list[Named] = []
        for rows in _by_item(batch):
            leads = True
            for row in rows:
                if not isinstance(row, Row):
                    continue
                sources = await self._sources(row, self._verdict(row))
                if sources.are_foreign:
                    continue
                mapped = apply_mapping(row, keys_of(self._type), self._mapping)
                if leads and row.locale not in (None, self._site.default_locale) and sources.item_id is not None:
                    locales = [*await self._entries.locales_of(sources.item_id), row.locale]
                    leads = self._entries.first(locales) == row.locale
                if not sources.are_unchanged:
                    named.append(Named(mapped.terms, mapped.locale, leads))
                leads = False
        await self._terms.prepare(named)

    async def take(self, rows: Sequence[Row | BadRow], report: Report) -> None:
        """Store the rows of one item, in their order, or say why not."""
        if not self._options.dry_run:
            for row in rows:
                await self._take(row, report)
            return
        try:
            async with db.transaction():
                for row in rows:
                    await self._take(row, report)
                raise _UndoError
        except _UndoError:
            pass

    async def _take(self, row: Row | BadRow, report: Report) -> None:
        """Never raises for what is the row's own fault."""
        report.done += 1
        if isinstance(row, BadRow):
            report.failed += 1
            report.problem("error", row.source, row.line, row.code, row.message)
            return
        try:
            async with db.transaction():  # so that a bad row leaves nothing behind
                outcome = await self._store(row, report)
        except AppError as error:
            if db.is_race(error) or error.status >= 500:
                raise
            report.failed += 1
            self._tell(report, "error", row, error.code, error.in_words)
            return
        setattr(report, outcome, getattr(report, outcome) + 1)

    def _tell(self, report: Report, level: str, row: Row, code: str, message: str) -> None:
        locale = row.locale or self._site.default_locale
        report.problem(level, row.source, row.line, code, message, item=row.item_name, locale=locale)

    def _verdict(self, row: Row) -> Verdict | None:
        """What the row's own marks make of it; None where the import publishes nothing."""
        if not self._options.publish:
            return None
        return self._publication.verdict(row, keys_of(self._type), self._mapping, self._filename)

    async def _sources(self, row: Row, verdict: Verdict | None) -> Sources:
        joined = Joined(row.key, row.base or row.key, row.item_key, row.locale or self._site.default_locale)
        digest = row.digest.encode() + self._salt + (verdict.digest() if verdict is not None else b"")
        if access.reads_fields(self._principal, self._site.id, self._type.key, joined.locale) is not None:
            # What others have imported may hold what this caller may not read: an equal row does not tell.
            digest += str(self._principal.author_id).encode()
        scope = _within(self._principal.scope(permissions.UPDATE.code, self._site.id), joined.locale)
        caller = Caller(self._principal, scope)
        return await import_sources.look_up(self._site, self._type.id, joined, digest, caller)

    async def _store(self, row: Row, report: Report) -> str:
        verdict = self._verdict(row)
        sources = await self._sources(row, verdict)
        if sources.are_foreign:
            # Nor does it become an item of the caller's: what its owner imports next would go there.
            raise SourceTakenError
        if sources.are_unchanged:
            return "unchanged"
        mapped = apply_mapping(row, keys_of(self._type), self._mapping)
        report.not_mapped(name for name in mapped.unmapped if verdict is None or name not in verdict.keys)
        warn = partial(self._tell, report, "warning", row, "warning")
        for warning in mapped.warnings:
            warn(warning)
        outcome, item_id, verdict = await self._write(row, mapped, sources.item_id, verdict, warn)
        if verdict is not None and verdict.state != "publish":
            locale = row.locale or self._site.default_locale
            report.hold_back(row.source, row.line, verdict, item=row.item_name, locale=locale)
            if verdict.warning is not None:
                self._tell(report, "warning", row, "not_published", verdict.warning)
        await import_sources.put(self._site.id, self._type.id, sources.key, sources.digest, item_id)
        if sources.key != sources.item_key:
            await import_sources.put_item(self._site.id, self._type.id, sources.item_key, item_id)
        if sources.stray not in (None, item_id):
            warn("Before it was joined with others this row was an item of its own, which stays as it is.")
        return outcome

    async def _write(
        self,
        row: Row,
        mapped: MappedRow,
        item_id: UUID | None,
        verdict: Verdict | None,
        warn: Callable[[str], None],
    ) -> tuple[str, UUID, Verdict | None]:
        """What became of the row, its item, and what was done about its publication."""
        given = self._terms.given(mapped.terms)
        if item_id is not None:
            written = await self._entries.write(item_id, mapped, given, verdict, warn)
            if written is not None:
                return written.outcome, item_id, written.verdict  # else deleted since: it is imported anew
        locale = known_locale(self._site, mapped.locale)
        new = CreateItem(
            type=self._type.key,
            slug=await self._free_slug(row, mapped.slug),
            locale=locale,
            data=mapped.data,
            taxonomies=given,
            publish=verdict is not None and verdict.state == "publish",
        )
        item = (await self._content.create(self._principal, self._site, new)).item
        if verdict is not None:
            await self._publication.schedule(item.id, locale, verdict)
        return "created", item.id, verdict

    async def _free_slug(self, row: Row, slug: str) -> str | None:
        """The row's slug, or the first of its alternatives that is free; None lets the title decide."""
        if not slug:
            return None
        candidates = chain((slug,), row.slug_alternatives())
        for number in SLUG_TRIES:
            tried = list(islice(candidates, number))
            taken = await repository.taken_slugs(self._site.id, self._type.id, tried)
            if free := next((candidate for candidate in tried if candidate not in taken), None):
                return free
        raise SlugTakenError(f"{slug} and its alternatives are taken.")

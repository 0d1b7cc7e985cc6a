"""Taking in the rows of an import, in batches that commit together with their progress."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from scaicms.features.content import import_sources, repository, revision_repository
from scaicms.features.content.errors import ItemNotFoundError, SlugTakenError
from scaicms.features.content.import_terms import ImportedTerms, Named
from scaicms.features.content.importing import ImportOptions, ImportService, keys_of, mapping_of
from scaicms.features.content.reading.mapping import MappedRow, apply_mapping
from scaicms.features.content.reading.rows import BadRow, Row
from scaicms.features.content.reading.sources import open_source
from scaicms.features.content.schemas import CreateItem
from scaicms.features.content.service import ContentService
from scaicms.features.content_types.service import CompiledType
from scaicms.features.taxonomies.service import TermLinks, TermService
from scaicms.infra import db
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.errors import AppError
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site

BATCH = 25
MAX_REPORTED = 1000
SLUG_TRIES = 20

Checkpoint = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Report:
    """How an import stands. `problems` names every row that did not go in, or went in with a warning."""

    total: int = 0
    done: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)
    problems_left_out: int = 0
    unmapped: dict[str, int] = field(default_factory=dict)
    terms_made: int = 0
    ignored_files: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def problem(self, level: str, source: str, line: int, code: str, message: str) -> None:
        if len(self.problems) >= MAX_REPORTED:
            self.problems_left_out += 1
            return
        found = {"level": level, "source": source, "line": line, "code": code, "message": message}
        self.problems.append(found)


class ImportBatches(Service):
    """Imports into one content type, idempotently: what did not change since the last run stays as it is."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._imports = services.get(ImportService)
        self._content = services.get(ContentService)
        self._terms = services.get(TermService)
        self._links = services.get(TermLinks)

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
        importer = _Importer(self._content, terms, principal, site, content_type, options)
        source = open_source(path, name=filename)
        report = Report(**resume) if resume else Report(total=await asyncio.to_thread(source.count))
        rows = iter(source)
        await asyncio.to_thread(_skip, rows, report.done)
        while batch := await asyncio.to_thread(lambda: list(islice(rows, BATCH))):
            before = terms.made
            await importer.prepare(batch)
            report.terms_made += terms.made - before
            async with db.transaction():
                await self._links.hold(site)
                await revision_repository.announce("imported")
                for row in batch:
                    await importer.take(row, report)
                report.ignored_files = len(source.ignored)
                await checkpoint(report.as_dict())
            yield report


def _skip(rows: Iterator[Row | BadRow], number: int) -> None:
    for _ in islice(rows, number):
        pass


class _UndoError(Exception):
    """Leaves a dry run's savepoint."""


class _Importer:
    """One import's constants, and what happens to a single row."""

    def __init__(
        self,
        content: ContentService,
        terms: ImportedTerms,
        principal: Principal,
        site: Site,
        content_type: CompiledType,
        options: ImportOptions,
    ) -> None:
        self._content = content
        self._terms = terms
        self._principal = principal
        self._site = site
        self._type = content_type
        self._options = options
        self._mapping = mapping_of(content_type, options)
        # The same file under another mapping is another input.
        raw = self._mapping.model_dump(mode="json", by_alias=True) if self._mapping else None
        self._salt = json.dumps({"mapping": raw, "version": content_type.version, "publish": options.publish})

    async def prepare(self, rows: Iterable[Row | BadRow]) -> None:
        """Have the terms at hand that new and changed rows name."""
        if self._mapping is None or not self._mapping.taxonomies:
            return
        changed = [row for row in rows if isinstance(row, Row) and not await self._is_unchanged(row)]
        mapped = [apply_mapping(row, keys_of(self._type), self._mapping) for row in changed]
        await self._terms.prepare([Named(row.terms, row.locale) for row in mapped])

    def _digest(self, row: Row) -> str:
        return hashlib.sha256(row.digest.encode() + self._salt).hexdigest()

    async def _is_unchanged(self, row: Row) -> bool:
        known = await import_sources.find(self._site.id, self._type.id, row.key)
        return known is not None and known.digest == self._digest(row)

    async def take(self, row: Row | BadRow, report: Report) -> None:
        """Store one row, or say why not. Never raises for what is the row's own fault."""
        report.done += 1
        if isinstance(row, BadRow):
            report.failed += 1
            report.problem("error", row.source, row.line, row.code, row.message)
            return
        try:
            outcome = await self._store_apart(row, report)
        except AppError as error:
            report.failed += 1
            report.problem("error", row.source, row.line, error.code, error.in_words)
            return
        setattr(report, outcome, getattr(report, outcome) + 1)

    async def _store_apart(self, row: Row, report: Report) -> str:
        """In a savepoint of its own, so that a bad row leaves nothing behind; a dry run leaves nothing at all."""
        outcome = ""
        try:
            async with db.transaction():
                outcome = await self._store(row, report)
                if self._options.dry_run:
                    raise _UndoError
        except _UndoError:
            pass
        return outcome

    async def _store(self, row: Row, report: Report) -> str:
        digest = self._digest(row)
        known = await import_sources.find(self._site.id, self._type.id, row.key)
        if known is not None and known.digest == digest:
            return "unchanged"
        mapped = apply_mapping(row, keys_of(self._type), self._mapping)
        report.unmapped = dict(Counter(report.unmapped) + Counter(mapped.unmapped))
        for warning in mapped.warnings:
            report.problem("warning", row.source, row.line, "warning", warning)
        item_id = known.item_id if known is not None else None
        outcome, item_id = await self._write(row, mapped, item_id)
        await import_sources.put(self._site.id, self._type.id, row.key, digest, item_id)
        return outcome

    async def _write(self, row: Row, mapped: MappedRow, item_id: UUID | None) -> tuple[str, UUID]:
        given, locale = self._terms.given(mapped.terms), mapped.locale
        if item_id is not None:
            try:
                async with db.transaction():
                    await self._content.save(
                        self._principal, self._site, item_id, mapped.data, taxonomies=given, locale=locale, merge=False
                    )
            except ItemNotFoundError:
                pass  # deleted since: it is imported anew
            else:
                if self._options.publish:
                    await self._content.publish(self._principal, self._site, item_id, locale=locale)
                return "updated", item_id
        new = CreateItem(
            type=self._type.key,
            slug=await self._free_slug(row, mapped.slug),
            locale=locale,
            data=mapped.data,
            taxonomies=given,
            publish=self._options.publish,
        )
        written = await self._content.create(self._principal, self._site, new)
        return "created", written.item.id

    async def _free_slug(self, row: Row, slug: str) -> str | None:
        """The row's slug, or the first of its alternatives that is free; None lets the title decide."""
        if not slug:
            return None
        candidates = [slug, *islice(row.slug_alternatives(), SLUG_TRIES)]
        taken = await repository.taken_slugs(self._site.id, self._type.id, candidates)
        free = next((candidate for candidate in candidates if candidate not in taken), None)
        if free is None:
            raise SlugTakenError(f"{slug} and its alternatives are taken.")
        return free

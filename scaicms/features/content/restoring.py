"""Taking an export in again: items with their ids, versions and times, as drafts and as what readers get of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from asyncpg import DataError, IntegrityConstraintViolationError
from pydantic import ValidationError

from scaicms.features.content import (
    drafts,
    fallbacks,
    links,
    repository,
    restore_checks,
    restore_repository,
    revision_repository,
    sharing,
    translation_repository,
)
from scaicms.features.content.approval import ApprovalService
from scaicms.features.content.errors import IdTakenError
from scaicms.features.content.events import ContentCreated, ContentPublished
from scaicms.features.content.exported import EXPORT_LINE, Entry, ExportLine, ItemLine, TaxonomyLine, TermLine
from scaicms.features.content.import_batches import in_one_go
from scaicms.features.content.import_report import Report
from scaicms.features.content.importing import ImportOptions, ImportService
from scaicms.features.content.reading.json_values import UnsupportedValueError, to_json
from scaicms.features.content.records import Item
from scaicms.features.content.restore_checks import TypesInFile
from scaicms.features.content_types.service import CompiledType, ContentTypeService, check_data
from scaicms.features.taxonomies.schemas import CreateTaxonomy, CreateTerm
from scaicms.features.taxonomies.service import TaxonomyService, TermLinks, TermService
from scaicms.infra import db
from scaicms.infra.events import record_many
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.errors import AppError, FieldError, InvalidError
from scaicms.kit.locales import known_locale
from scaicms.kit.principal import Principal
from scaicms.kit.schemas import field_errors
from scaicms.kit.sites import Site

BATCH = 25
MAX_LINE_BYTES = 10 * 1024 * 1024

_REFUSED = (DataError, IntegrityConstraintViolationError)

Checkpoint = Callable[[dict[str, Any]], Awaitable[None]]


class _Line(NamedTuple):
    number: int
    raw: bytes


class RestoreBatches(Service):
    """What the site has already, by key, slug or id, stays as it is: a broken run is run again."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._imports = services.get(ImportService)
        self._types = services.get(ContentTypeService)
        self._taxonomies = services.get(TaxonomyService)
        self._terms = services.get(TermService)
        self._links = services.get(TermLinks)
        self._approval = services.get(ApprovalService)

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
        """Put back the lines of a file; gives the report after each batch, as `ImportBatches` does."""
        self._imports.check_export(principal, site)
        types = await asyncio.to_thread(lambda: TypesInFile(line.raw for line in _lines(path)))
        report = Report.resumed(resume) or Report(total=types.lines)
        lines = _lines(path)
        with closing(types):
            await asyncio.to_thread(lambda: [None for _ in islice(lines, report.done)])
            while batch := await asyncio.to_thread(lambda: list(islice(lines, BATCH))):
                take_in = partial(self._take_in, principal, site, batch, filename, types, checkpoint)
                report = await in_one_go(report, take_in)
                yield report

    async def _take_in(
        self,
        principal: Principal,
        site: Site,
        batch: list[_Line],
        filename: str,
        types: TypesInFile,
        checkpoint: Checkpoint,
        report: Report,
    ) -> None:
        await self._links.hold(site)
        await revision_repository.announce("imported")
        for line in batch:
            await self._take(principal, site, line, filename, report, types)
        if report.done == report.total and (lost := await restore_repository.dangling(site.id)):
            message = f"{lost} relations lead to items or assets that are not there."
            report.problem("warning", filename, 0, "dangling", message)
        await checkpoint(report.as_dict())

    async def _take(
        self, principal: Principal, site: Site, line: _Line, filename: str, report: Report, types: TypesInFile
    ) -> None:
        report.done += 1
        try:
            async with db.transaction():
                outcome = await self._put_back(principal, site, _parsed(line.raw), types)
        except AppError as error:
            if db.is_race(error) or error.status >= 500:
                raise
            report.failed += 1
            report.problem("error", filename, line.number, error.code, error.in_words)
            return
        except Exception as error:  # also what the ORM makes of the driver's errors; all others go on as they came
            # The last word is the database's: a line that it refuses takes no other along.
            if not isinstance(error, _REFUSED) and not isinstance(error.__cause__, _REFUSED):
                raise
            report.failed += 1
            report.problem("error", filename, line.number, "invalid", "This cannot be stored.")
            return
        setattr(report, outcome, getattr(report, outcome) + 1)

    async def _put_back(self, principal: Principal, site: Site, line: ExportLine, types: TypesInFile) -> str:
        match line:
            case TaxonomyLine():
                return await self._taxonomy(principal, site, line)
            case TermLine():
                return await self._term(principal, site, line)
            case ItemLine():
                return await self._item(principal, site, line, types)

    async def _taxonomy(self, principal: Principal, site: Site, line: TaxonomyLine) -> str:
        if line.key in await self._links.keys(site):
            return "unchanged"
        new = CreateTaxonomy.model_validate(line.model_dump(exclude={"kind"}))
        await self._taxonomies.create(principal, site, new)
        return "created"

    async def _term(self, principal: Principal, site: Site, line: TermLine) -> str:
        names = [line.slug, *([line.parent] if line.parent is not None else ())]
        _, known = await self._links.known(site, [line.taxonomy], names)
        if (line.taxonomy, line.slug) in known:
            return "unchanged"
        taxonomy = await self._taxonomies.get(principal, site, line.taxonomy)
        if line.parent is not None and (line.taxonomy, line.parent) not in known:
            wrong = FieldError("/parent", "unknown_term", f"{line.taxonomy} has no term {line.parent}.")
            raise InvalidError(errors=[wrong])
        new = CreateTerm(
            name=dict(line.names) if taxonomy.localized else next(iter(line.names.values())),
            slug=line.slug,
            parent_id=known[line.taxonomy, line.parent] if line.parent is not None else None,
        )
        await self._terms.create(principal, site, line.taxonomy, new, None)
        return "created"

    async def _item(self, principal: Principal, site: Site, line: ItemLine, types: TypesInFile) -> str:
        there = await restore_repository.site_of(line.id)
        if there == site.id:
            return "unchanged"
        if there is not None:
            raise IdTakenError
        content_type = await self._types.hold(await self._types.compiled(site.id, line.type))
        restore_checks.check_stage(content_type, line.stage)
        versions = [await _draft(content_type, site, line, entry) for entry in line.entries]
        shown = [await _shown(version, entry) for version, entry in zip(versions, line.entries, strict=True)]
        await self._check(site, line, versions, shown, types)
        if any(shown):
            await self._approval.require_publisher(principal, versions[0])
        stage = await self._approval.stage_of_import(principal, versions[0])
        if stage is not None and line.stage is not None:
            line = line.model_copy(update={"stage": stage.key})
        await restore_repository.insert_item(site.id, content_type.id, line)
        for version, published in zip(versions, shown, strict=True):
            await translation_repository.insert_entry(published or version)
        facts = [versions[0].fact(ContentCreated)]
        for entry, published in zip(line.entries, shown, strict=True):
            if published is not None and entry.published is not None:
                await self._publish(site, published, entry.published.taxonomies)
                facts.append(published.fact(ContentPublished))
        for version, published in zip(versions, shown, strict=True):
            if published is not None and published.version != version.version:
                await repository.update_draft(version)
        await self._assign(site, versions[0], line.taxonomies)
        await sharing.keep_references(versions[0])
        await record_many(facts, actor=principal)
        return "created"

    async def _check(
        self, site: Site, line: ItemLine, versions: list[Item], shown: list[Item | None], types: TypesInFile
    ) -> None:
        """Refuse what no save could have made."""
        content_type = versions[0].content_type
        restore_checks.check_shared(content_type, versions)
        await restore_checks.check_targets(site, line, versions, shown, types)
        await restore_checks.check_pointing(self._types, site, line)
        await drafts.claim_single(content_type)
        # What is published may have another slug than the draft has by now.
        for slug in sorted({line.slug, *(one.slug for one in shown if one is not None)}):
            await drafts.claim_slug(content_type, slug)
        for version in versions:
            await drafts.check_unique(version)

    async def _publish(self, site: Site, item: Item, taxonomies: dict[str, list[str]]) -> None:
        """Render what readers got, as it was rendered then: with these terms, from this version."""
        await self._assign(site, item, taxonomies)
        terms = await self._links.of_items(site, [item.id], item.locale)
        item = replace(item, terms=terms.get(item.id, ()))
        published_at = item.published_at or item.updated_at
        made = await fallbacks.rendered(site, item, published_at)
        await repository.put_document(item, made.body, made.etag, made.data, published_at)
        await self._links.publish(item.id, item.locale)
        await links.published(item, made.data, made.body)
        await fallbacks.ask_for_refresh(item)

    async def _assign(self, site: Site, item: Item, taxonomies: dict[str, list[str]]) -> None:
        keys = await self._links.keys(site)
        given = {**dict.fromkeys(keys, ()), **taxonomies}
        await self._links.assign(site, item.id, await self._links.resolve(site, given))


async def _draft(content_type: CompiledType, site: Site, line: ItemLine, entry: Entry) -> Item:
    return Item(
        id=line.id,
        site_id=site.id,
        content_type=content_type,
        slug=line.slug,
        locale=known_locale(site, entry.locale),
        version=entry.version,
        published_version=None,
        data=await _checked(content_type, entry.data),
        created_at=line.created_at,
        created_by=line.created_by,
        updated_at=entry.updated_at,
        updated_by=entry.updated_by,
        published_at=None,
        is_archived=line.archived_at is not None,
        locales=tuple(sorted(one.locale for one in line.entries)),
        stage=content_type.workflow.stage_of(line.stage) if content_type.workflow is not None else None,
    )


async def _shown(draft: Item, entry: Entry) -> Item | None:
    """The version that readers get."""
    published = entry.published
    if published is None:
        return None
    return replace(
        draft,
        slug=published.slug,
        version=published.version,
        data=draft.data if published.data is None else await _checked(draft.content_type, published.data),
        updated_at=published.updated_at,
        updated_by=published.updated_by,
        published_at=published.published_at,
    )


async def _checked(content_type: CompiledType, data: dict[str, Any]) -> dict[str, Any]:
    """The data as it is stored. A default is for new items, not for what somebody took away."""
    checked = await check_data(content_type, data, data)
    return {key: value for key, value in checked.items() if key in data}


def _parsed(raw: bytes) -> ExportLine:
    try:
        value = json.loads_bounded(raw)
        if b"\\u0000" in raw:
            to_json(value, depth=json.MAX_DEPTH)  # PostgreSQL takes no such text
        # Of a name that is there twice, the last counts: for us as for who looked through the file before.
        return EXPORT_LINE.validate_python(value)
    except UnsupportedValueError as error:
        raise InvalidError(str(error)) from None
    except ValidationError as error:
        raise InvalidError(errors=field_errors(error)) from None
    except ValueError as error:
        raise InvalidError(f"The line is not JSON: {error}.") from None


def _lines(path: Path) -> Iterator[_Line]:
    """Lines that are not empty; of one that is too long, so much that it cannot be read."""
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(MAX_LINE_BYTES):
            number += 1
            rest = raw
            while len(rest) == MAX_LINE_BYTES and not rest.endswith(b"\n"):
                rest = file.readline(MAX_LINE_BYTES)
            if raw.strip():
                yield _Line(number, raw)

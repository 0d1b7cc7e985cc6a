"""Taking content out: everything that it takes to have it again, a line at a time (docs/editing.md)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from asyncpg import Record

from scaicms.features.content import access, export_repository, permissions
from scaicms.features.content.editing_schemas import ExportQuery
from scaicms.features.content.errors import TooManyExportsError
from scaicms.features.content_types.errors import unknown_type
from scaicms.features.taxonomies.permissions import READ as READ_TAXONOMIES
from scaicms.infra import db
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.locales import known_locale
from scaicms.kit.principal import Principal, Scope
from scaicms.kit.sites import Site

MAX_CONNECTIONS = 3
"""Exports that read the database at a time in one process, and at most a third of its connections."""
WAIT_SECONDS = 30.0
"""An export waits this long for its turn."""
CHUNK_BYTES = 64 * 1024


LARGE_LINE = 32 * 1024


class ExportService(Service):
    """Exports show the database as it was when they began, whatever is written meanwhile."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        size = services.resources.settings.read_pool_size
        self._turns = asyncio.Semaphore(max(1, min(MAX_CONNECTIONS, size // 3)))
        self._callers: WeakValueDictionary[UUID | None, asyncio.Lock] = WeakValueDictionary()

    async def total(self, principal: Principal, site: Site, query: ExportQuery) -> int:
        """How many items an export would have now."""
        principal.require(permissions.READ_DRAFTS.code, site.id)
        scope = principal.scope(permissions.READ_DRAFTS.code, site.id)
        async with self._snapshot(principal) as reads:
            types = await export_repository.types(reads, site.id, query.type)
            return sum([await export_repository.count(reads, site.id, row["id"], scope, query) for row in types])

    async def chunks(self, principal: Principal, site: Site, query: ExportQuery) -> AsyncGenerator[bytes, None]:
        """NDJSON: taxonomies, terms, then items as far as the caller may read their drafts. At any time it holds one
        chunk and a few rows.

        Raises:
            TooManyExportsError: its turn does not come within 30 s.
        """
        chunk = bytearray()
        async with aclosing(self._lines(principal, site, query)) as lines:
            async for line in lines:
                chunk += line + b"\n"
                if len(line) > LARGE_LINE:
                    await asyncio.sleep(0)  # the rows of a portion come without a pause
                if len(chunk) >= CHUNK_BYTES:
                    yield bytes(chunk)
                    chunk.clear()
        yield bytes(chunk)

    async def _lines(self, principal: Principal, site: Site, query: ExportQuery) -> AsyncGenerator[bytes, None]:
        principal.require(permissions.READ_DRAFTS.code, site.id)
        scope = principal.scope(permissions.READ_DRAFTS.code, site.id)
        known_locale(site, query.locale)
        if query.type is not None:
            access.require_known_type(principal, site.id, query.type)
        async with self._snapshot(principal) as reads:
            types = await export_repository.types(reads, site.id, query.type)
            if query.type is not None and not types:
                raise unknown_type(query.type)
            if principal.may(READ_TAXONOMIES.code, site.id):
                for row in await export_repository.taxonomies(reads, site.id):
                    yield json.dumps({"kind": "taxonomy", **dict(row)})
                async for row in export_repository.terms(reads, site.id):
                    yield json.dumps({"kind": "term", **dict(row), "names": json.loads(row["names"])})
            for type_ in types:
                async for row in export_repository.items(reads, site.id, type_["id"], scope, query):
                    item = _item(row, type_["key"], scope)
                    if item["entries"]:  # Not what is read in other locales than those asked for.
                        yield json.dumps(item)

    @asynccontextmanager
    async def _snapshot(self, principal: Principal) -> AsyncIterator[db.ReadProxy]:
        """A connection, one at a time for one caller, so that each caller's exports wait for their own first."""
        turn = self._callers.setdefault(principal.author_id, asyncio.Lock())
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await stack.enter_async_context(turn)
                    await stack.enter_async_context(self._turns)
            except TimeoutError:
                raise TooManyExportsError from None
            yield await stack.enter_async_context(db.snapshot(self.resources.reads))


def _item(row: Record, type_key: str, scope: Scope | None) -> dict[str, Any]:
    """An item in those of its locales, and with those of its fields, that are within reach."""
    entries = []
    for entry in json.loads(row["entries"]):
        seen = access.view(scope, type_key, entry["locale"], _id(row["created_by"]))
        if seen is None:
            continue
        if seen.fields is not None:
            entry["data"] = seen.project(entry["data"])
            if entry["published"] is not None and entry["published"]["data"] is not None:
                entry["published"]["data"] = seen.project(entry["published"]["data"])
        entries.append(entry)
    return {
        "kind": "item",
        "type": type_key,
        **{name: row[name] for name in ("id", "slug", "created_at", "created_by", "archived_at", "stage")},
        "taxonomies": json.loads(row["taxonomies"]),
        "entries": entries,
    }


def _id(value: UUID | None) -> UUID | None:
    """asyncpg's own kind of UUID as any."""
    return UUID(bytes=value.bytes) if value is not None else None

"""Documents as they are found: the statements, and rows as the caller may read them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from scaicms.features.content import access, past, render, repository
from scaicms.features.content.errors import ItemNotFoundError
from scaicms.features.content.projecting import Shape
from scaicms.features.content_types.service import CompiledType
from scaicms.features.taxonomies.service import ItemTerm
from scaicms.kit import json
from scaicms.kit.principal import Scope

BY_ID = "SELECT body, etag{more} FROM {documents} d WHERE item_id = $1 AND locale = $2 AND site_id = $3"
BY_ID_NOW = BY_ID.format(documents="documents", more="")
BY_IDS = "SELECT item_id, body FROM documents WHERE item_id = ANY($1) AND locale = $2 AND site_id = $3"
BY_ID_IN = """SELECT body, etag{more} FROM {documents} d WHERE item_id = $1 AND locale = ANY($2) AND site_id = $3
    ORDER BY array_position($2::text[], locale::text)"""
BY_SLUG = """SELECT body, etag{more} FROM {documents} d
    WHERE site_id = $1 AND type_id = $2 AND locale = $3 AND slug = $4"""
# The item may have had another slug when it was published in another locale: it is the same item.
BY_SLUG_IN = """SELECT d.body, d.etag{more} FROM {documents} d
    WHERE d.locale = ANY($3) AND d.item_id = ANY(ARRAY(
        SELECT s.item_id FROM {documents} s
        WHERE s.site_id = $1 AND s.type_id = $2 AND s.locale = ANY($3) AND s.slug = $4))
    ORDER BY array_position($3::text[], d.locale::text)"""
# Members are those of the type as it was when the document was read.
_OF_TYPE = ", (SELECT c.version FROM content_types c WHERE c.id = d.type_id) AS type_version"


@dataclass(frozen=True, slots=True)
class Document:
    """A rendered item and the validator of these bytes."""

    body: bytes
    etag: str
    type_version: int | None = None
    """Of the type when this was read; None: nobody asked."""

    def __len__(self) -> int:
        return len(self.body)


def statement(template: str, as_of: datetime | None, shape: Shape) -> str:
    """The statement for a moment (None: now), with the version of the type where members are asked for."""
    return template.format(documents=past.documents(as_of), more=_OF_TYPE if shape.fields else "")


def seen_by(scope: Scope | None, row: asyncpg.Record | None) -> Document:
    """A row of `documents` as the caller may read it, or not found."""
    if row is None:
        raise ItemNotFoundError
    version = row.get("type_version")
    if scope is None:
        return Document(row[0], row[1], version)
    body = access.within(scope, row[0])
    if body is None:
        raise ItemNotFoundError
    return Document(body, row[1] if body is row[0] else render.etag_of(row[1], body), version)


def first_seen_by(scope: Scope | None, rows: Sequence[asyncpg.Record]) -> Document:
    """The first of these rows of which the caller may read anything, or not found."""
    for row in rows:
        with suppress(ItemNotFoundError):
            return seen_by(scope, row)
    raise ItemNotFoundError


def body_of(
    row: asyncpg.Record,
    content_type: CompiledType,
    scope: Scope | None,
    terms: Mapping[UUID, tuple[ItemTerm, ...]],
    *,
    drafts: bool,
) -> bytes | None:
    """A row of a list as JSON; the query has left out what is not within reach as a whole."""
    if not drafts:
        body: bytes = row["body"]
        return body if scope is None else access.within(scope, body)
    item = replace(repository.to_item(row, content_type), terms=terms.get(row["id"], ()))
    seen = access.view(scope, content_type.key, item.locale, item.created_by) or access.NOTHING
    locales = access.within_locales(scope, content_type.key, item.locales, item.created_by)
    return json.dumps(render.draft(replace(item, data=seen.project(item.data), locales=locales)))

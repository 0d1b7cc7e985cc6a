"""The JSON of an item: the draft for editors; the document for readers, with HTML and without private fields."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from scaicms.features.content.records import Item
from scaicms.features.content_types.service import publish_data
from scaicms.features.taxonomies.service import ItemTerm
from scaicms.kit import json
from scaicms.kit.etags import versioned_etag


def draft(item: Item) -> dict[str, Any]:
    """The editing view, private fields included."""
    times = {"published_at": item.published_at, "publish_at": item.publish_at}
    shape = _shape(item, item.data, status=item.status, times=times)
    if item.stage is not None:
        shape["stage"] = item.stage.key
    if item.lapsed_stage is not None:
        shape["lapsed_stage"] = item.lapsed_stage
    return shape


async def document(
    item: Item,
    data: Mapping[str, Any],
    published_at: datetime,
    *,
    locales: Sequence[str] = (),
    fallback_fields: Mapping[str, str] | None = None,
) -> tuple[bytes, str]:
    """The complete JSON that delivery will return, and its ETag. `locales` are those in which the item is published,
    where there are others than its own."""
    # Whether something newer is planned is the editors' business.
    times = {"published_at": published_at, "publish_at": None}
    shape = _shape(item, await publish_data(item.content_type, data), status="published", times=times)
    body = json.dumps(_located(shape, locales or [item.locale], fallback_fields))
    return body, versioned_etag(item.version, body)


def etag_of(whole: str, body: bytes) -> str:
    """The validator of a document of which only a part is shown; `whole` is that of all of it."""
    return versioned_etag(whole.strip('"v').partition("-")[0], body)


def taxonomies(terms: Iterable[ItemTerm]) -> dict[str, list[dict[str, Any]]]:
    """What an item shows of its terms, by taxonomy."""
    shown: dict[str, list[dict[str, Any]]] = {}
    for term in terms:
        shown.setdefault(term.taxonomy, []).append({"id": term.id, "slug": term.slug, "name": term.name})
    return shown


def with_terms(body: bytes, version: int, terms: Iterable[ItemTerm]) -> tuple[bytes, str] | None:
    """A document with what it shows of its terms made anew; None where that is what it shows."""
    before = json.loads(body)
    after = json.dumps({**before, "taxonomies": taxonomies(terms)})
    return None if after == body else (after, versioned_etag(version, after))


def with_locales(
    row: Record, data: dict[str, Any], locales: Sequence[str], fallback_fields: Mapping[str, str]
) -> tuple[bytes, str] | None:
    """A document (`body`, `version`) with what it shows of the item's other locales made anew; None where that is what
    it shows."""
    shape = {**json.loads(row["body"]), "data": data}
    after = json.dumps(_located(shape, locales, fallback_fields))
    return None if after == row["body"] else (after, versioned_etag(row["version"], after))


def _located(
    shape: dict[str, Any], locales: Sequence[str], fallback_fields: Mapping[str, str] | None
) -> dict[str, Any]:
    shape["locales"] = list(locales)
    shape.pop("fallback_fields", None)
    if fallback_fields:
        shape["fallback_fields"] = dict(fallback_fields)
    return shape


def with_pending(body: bytes, version: int, pending: Sequence[tuple[str, UUID]]) -> tuple[bytes, str] | None:
    """A document with what it says of its unpublished targets made anew; None where that is what it says."""
    if not pending and b'"unpublished"' not in body:
        return None
    shape = json.loads(body)
    shape.pop("unpublished", None)
    if pending:
        shape["unpublished"] = [{"field": field, "id": target} for field, target in pending]
    after = json.dumps(shape)
    return None if after == body else (after, versioned_etag(version, after))


def with_end(body: bytes, version: int, unpublish_at: datetime | None) -> tuple[bytes, str] | None:
    """A document with what it says of its end made anew; None where that is what it says."""
    after = json.dumps({**json.loads(body), "unpublish_at": unpublish_at})
    return None if after == body else (after, versioned_etag(version, after))


def public_data(item: Item) -> dict[str, Any]:
    """`data` without private fields."""
    return item.content_type.public(item.data)


def _shape(item: Item, data: dict[str, Any], *, status: str, times: dict[str, datetime | None]) -> dict[str, Any]:
    return {
        "id": item.id,
        "type": item.content_type.key,
        "slug": item.slug,
        "locale": item.locale,
        "locales": list(item.locales) or [item.locale],
        "status": status,
        "version": item.version,
        "data": data,
        "taxonomies": taxonomies(item.terms),
        "created_at": item.created_at,
        "created_by": item.created_by,
        "updated_at": item.updated_at,
        "updated_by": item.updated_by,
        **times,
        "unpublish_at": item.unpublish_at,
    }

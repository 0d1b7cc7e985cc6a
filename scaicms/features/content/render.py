"""The JSON of an item: the draft for editors; the document for readers, with HTML and without private fields."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from scaicms.features.content.records import Item
from scaicms.features.taxonomies.service import ItemTerm
from scaicms.kit import json
from scaicms.kit.etags import versioned_etag


def draft(item: Item) -> dict[str, Any]:
    """The editing view, private fields included."""
    return _shape(item, item.data, status=item.status, published_at=item.published_at)


def document(item: Item, published_at: datetime) -> tuple[bytes, str]:
    """The complete JSON that delivery will return, and its ETag."""
    data = item.content_type.published(item.data)
    body = json.dumps(_shape(item, data, status="published", published_at=published_at))
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


def public_data(item: Item) -> dict[str, Any]:
    """`data` without private fields."""
    return item.content_type.public(item.data)


def _shape(item: Item, data: dict[str, Any], *, status: str, published_at: datetime | None) -> dict[str, Any]:
    return {
        "id": item.id,
        "type": item.content_type.key,
        "slug": item.slug,
        "locale": item.locale,
        "locales": [item.locale],
        "status": status,
        "version": item.version,
        "data": data,
        "taxonomies": taxonomies(item.terms),
        "created_at": item.created_at,
        "created_by": item.created_by,
        "updated_at": item.updated_at,
        "updated_by": item.updated_by,
        "published_at": published_at,
        "publish_at": None,
        "unpublish_at": None,
    }

"""The words of published documents, for whoever indexes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scaicms.features.content_types.schemas import FieldDefinition
from scaicms.features.content_types.service import CompiledType
from scaicms.kit import json, markdown


@dataclass(frozen=True, slots=True)
class PublishedText:
    """Title, short texts and long texts of one published document."""

    locale: str
    type_key: str
    version: int
    title: str
    summary: str
    body: str
    terms: str = ""


def published_text(content_type: CompiledType, locale: str, version: int, data: dict[str, Any]) -> PublishedText:
    title_key = content_type.title_key
    fields = [f for f in content_type.fields.values() if f.is_searchable and f.key != title_key and f.key in data]
    return PublishedText(
        locale=locale,
        type_key=content_type.key,
        version=version,
        title=str(data.get(title_key, "")) if title_key is not None else "",
        summary="\n".join(_words(f, data[f.key]) for f in fields if f.type != "markdown"),
        body="\n".join(_words(f, data[f.key]) for f in fields if f.type == "markdown"),
    )


def term_words(document: bytes) -> str:
    """What the terms of a rendered document are called."""
    shown: dict[str, list[dict[str, str]]] = json.loads(document)["taxonomies"]
    return "\n".join(term["name"] for terms in shown.values() for term in terms)


def _words(field: FieldDefinition, value: Any) -> str:
    if field.type == "markdown":
        return markdown.to_text(str(value))
    if isinstance(value, Iterable) and not isinstance(value, str):
        return " ".join(map(str, value))
    return str(value)

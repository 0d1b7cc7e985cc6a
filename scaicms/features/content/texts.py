"""The words of published documents, for whoever indexes them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scaicms.features.content_types.service import CompiledType, Leaf
from scaicms.kit import json, markdown, richtext

_LONG: Mapping[str, Callable[[Any], str]] = {"markdown": markdown.to_text, "richtext": richtext.to_text}


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
    found = [leaf for leaf in content_type.leaves(data) if _is_searched(content_type, leaf) and leaf.top != title_key]
    return PublishedText(
        locale=locale,
        type_key=content_type.key,
        version=version,
        title=str(data.get(title_key, "")) if title_key is not None else "",
        summary="\n".join(_words(leaf) for leaf in found if leaf.field.type not in _LONG),
        body="\n".join(_LONG[leaf.field.type](leaf.value) for leaf in found if leaf.field.type in _LONG),
    )


def term_words(document: bytes) -> str:
    """What the terms of a rendered document are called."""
    shown: dict[str, list[dict[str, str]]] = json.loads(document)["taxonomies"]
    return "\n".join(term["name"] for terms in shown.values() for term in terms)


def _is_searched(content_type: CompiledType, leaf: Leaf) -> bool:
    return leaf.field.is_searchable and content_type.fields[leaf.top].is_searchable


def _words(leaf: Leaf) -> str:
    if isinstance(leaf.value, Iterable) and not isinstance(leaf.value, str):
        return " ".join(map(str, leaf.value))
    return str(leaf.value)

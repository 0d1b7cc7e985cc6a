"""The words of published documents, for whoever indexes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from scaicms.features.content import permissions, repository
from scaicms.features.content_types.service import CompiledType, ContentTypeService, Leaf
from scaicms.infra import rendering
from scaicms.infra.rendering import Text, UnrenderableError
from scaicms.infra.services import Service, Services
from scaicms.kit import json
from scaicms.kit.principal import Principal

_LONG = frozenset({"markdown", "richtext"})


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


class PublishedTexts(Service):
    """What there is to index, for who may read all of it."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._types = services.get(ContentTypeService)

    async def lock_item(self, item_id: UUID) -> None:
        """Order transactions that keep something in step with an item, until this one ends."""
        await repository.lock_name("item", item_id)

    async def item_ids(
        self, principal: Principal, site_id: UUID, type_id: UUID, *, after: UUID | None, limit: int
    ) -> list[UUID]:
        """Items of a type of which anything is published, in the order of their ids."""
        _require_all(principal, site_id)
        return await repository.published_ids(site_id, type_id, after=after, limit=limit)

    async def of_item(self, principal: Principal, site_id: UUID, item_id: UUID) -> list[PublishedText]:
        """The words of what is published of an item; empty when nothing is."""
        _require_all(principal, site_id)
        texts = []
        for row in await repository.published(site_id, item_id):
            content_type = await self._types.compiled(site_id, await repository.type_key(site_id, row["type_id"]))
            text = await published_text(content_type, row["locale"], row["version"], json.loads(row["data"]))
            texts.append(replace(text, terms=term_words(row["body"])))
        return texts


def _require_all(principal: Principal, site_id: UUID) -> None:
    principal.require(permissions.READ.code, site_id)
    if principal.scope(permissions.READ.code, site_id) is not None:
        raise principal.refusal(permissions.READ.code)


async def published_text(content_type: CompiledType, locale: str, version: int, data: dict[str, Any]) -> PublishedText:
    title_key = content_type.title_key
    found = [leaf for leaf in content_type.leaves(data) if _is_searched(content_type, leaf) and leaf.top != title_key]
    return PublishedText(
        locale=locale,
        type_key=content_type.key,
        version=version,
        title=str(data.get(title_key, "")) if title_key is not None else "",
        summary="\n".join(_words(leaf) for leaf in found if leaf.field.type not in _LONG),
        body="\n".join(await _long_words([leaf for leaf in found if leaf.field.type in _LONG])),
    )


async def _long_words(leaves: Sequence[Leaf]) -> list[str]:
    try:
        return await rendering.to_words([Text(leaf.field.type, leaf.value) for leaf in leaves])
    except UnrenderableError:
        # Published before texts had bounds. Markup among the words is better than an item that nobody finds.
        return [leaf.value if isinstance(leaf.value, str) else json.dumps_text(leaf.value) for leaf in leaves]


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

"""Checking and rendering the data of items without stopping the event loop, however large it is."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from scaicms.features.content_types.compile import CompiledType
from scaicms.features.content_types.fields import FieldDefinition
from scaicms.features.content_types.walking import Leaf
from scaicms.infra import rendering
from scaicms.infra.rendering import Text, UnrenderableError
from scaicms.kit import json, richtext
from scaicms.kit.errors import FieldError, InvalidError
from scaicms.kit.markdown import as_written

LARGE_BYTES = 32 * 1024
"""Data whose JSON is larger is validated in a thread: the event loop goes on in between."""


LARGE_MATCHING = 4_000_000
"""Characters times instructions of a pattern: some 50 ms at worst."""


async def validate_data(
    content_type: CompiledType, data: Mapping[str, Any], old: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """`CompiledType.validate`, in a thread where `data` is large or its patterns take long to match."""
    size = len(json.dumps(data))
    if size <= LARGE_BYTES and size * content_type.largest_pattern <= LARGE_MATCHING:
        return content_type.validate(data, old)
    return await asyncio.to_thread(content_type.validate, data, old)


async def check_data(
    content_type: CompiledType,
    data: Mapping[str, Any],
    old: Mapping[str, Any] | None = None,
    *,
    known: Collection[str] = (),
) -> dict[str, Any]:
    """`data` as it is stored, checked as `CompiledType.validate` does. Markdown that is not `known` can be rendered.

    Raises:
        InvalidError: it does not fit; with a JSON pointer (RFC 6901) for everything that is wrong.
        UnavailableError: texts cannot be checked at the moment.
    """
    checked = await validate_data(content_type, data, old)
    texts = [leaf for leaf in _markdown(content_type, checked) if leaf.value not in known]
    try:
        await rendering.check_texts([Text(leaf.field.type, leaf.value) for leaf in texts])
    except UnrenderableError as error:
        raise unrenderable(error, texts) from None
    return checked


async def publish_data(content_type: CompiledType, data: Mapping[str, Any]) -> dict[str, Any]:
    """Checked `data` as documents carry it: without private fields, with the HTML of texts beside them.

    Raises:
        InvalidError: a text cannot be rendered within its bounds.
        UnavailableError: texts cannot be rendered at the moment.
    """
    texts = _texts(content_type, data)
    try:
        return _with_html(content_type, data, await rendering.to_html(texts))
    except UnrenderableError as error:
        leaves = [leaf for text in texts for leaf in content_type.leaves(data) if leaf.value is text.value]
        raise unrenderable(error, leaves) from None


async def republish_data(content_type: CompiledType, data: Mapping[str, Any]) -> dict[str, Any]:
    """Publish data that was published before. A text that is older than the bounds is shown as it was written."""
    texts = _texts(content_type, data)
    try:
        html = await rendering.to_html(texts)
    except UnrenderableError:
        html = [await _html_or_source(text) for text in texts]
    return _with_html(content_type, data, html)


async def _html_or_source(text: Text) -> str:
    try:
        return (await rendering.to_html([text]))[0]
    except UnrenderableError:
        return as_written(text.value if isinstance(text.value, str) else richtext.to_text(text.value))


def _texts(content_type: CompiledType, data: Mapping[str, Any]) -> list[Text]:
    """The texts that documents show as HTML, in the order in which `published` asks for them."""
    found: list[Text] = []

    def collect(field: FieldDefinition, value: Any) -> str:
        found.append(Text(field.type, value))
        return ""

    content_type.published(data, collect)
    return found


def _with_html(content_type: CompiledType, data: Mapping[str, Any], html: Iterable[str]) -> dict[str, Any]:
    results = iter(html)
    return content_type.published(data, lambda *_: next(results))


def unrenderable(error: UnrenderableError, leaves: Sequence[Leaf]) -> InvalidError:
    """The error of a request whose text exceeds a bound."""
    where = leaves[error.index].pointer if error.index is not None and error.index < len(leaves) else ""
    return InvalidError(
        "A text cannot be rendered. Shorten it or split it.",
        errors=[FieldError(f"/data{where}", "unrenderable", f"The text {error.reason}.")],
    )


def markdown_texts(content_type: CompiledType, data: Mapping[str, Any]) -> set[str]:
    """The Markdown in stored data, at any depth; `known` to `check_data`."""
    return {leaf.value for leaf in _markdown(content_type, data)}


def _markdown(content_type: CompiledType, data: Mapping[str, Any]) -> list[Leaf]:
    return [leaf for leaf in content_type.leaves(data) if leaf.field.type == "markdown" and isinstance(leaf.value, str)]

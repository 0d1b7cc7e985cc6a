"""The words of a document, for search and for comparing versions."""

from collections.abc import Iterator, Mapping
from typing import Any

from scaicms.kit.richtext.schema import NODES, name_of


def to_text(document: Mapping[str, Any]) -> str:
    """The text of a document, a line for each block that holds text."""
    return "\n".join(line for line in _lines(document) if line)


def _lines(node: Mapping[str, Any]) -> Iterator[str]:
    kind = NODES.get(name_of(node.get("type")))
    content = node.get("content") or ()
    if kind is not None and kind.content in ("inline", "text"):
        yield "".join(_inline(child) for child in content)
        return
    for child in content:
        yield from _lines(child)


def _inline(node: Mapping[str, Any]) -> str:
    if name_of(node.get("type")) == "hard_break":
        return " "
    return str(node.get("text") or (node.get("attrs") or {}).get("alt") or "")

"""A checked document as HTML. What is put together here is escaped, and sanitised all the same."""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from scaicms.kit.html import sanitise
from scaicms.kit.richtext.schema import ALIGNMENTS, is_address, name_of

_PLAIN = {
    "blockquote": "blockquote",
    "bullet_list": "ul",
    "list_item": "li",
    "table_row": "tr",
}
_MARKS = {
    "strong": "strong",
    "em": "em",
    "underline": "u",
    "strike": "s",
    "code": "code",
    "subscript": "sub",
    "superscript": "sup",
    "highlight": "mark",
}


def to_html(document: Mapping[str, Any]) -> str:
    """HTML of a document that has been checked, sanitised; unknown nodes leave their content, unknown marks nothing."""
    return sanitise(_inner(document))


def _inner(node: Mapping[str, Any]) -> str:
    return "".join(_node(child) for child in node.get("content") or ())


def _node(node: Mapping[str, Any]) -> str:
    name = name_of(node.get("type"))
    attrs = node.get("attrs") or {}
    if name in _PLAIN:
        html = _element(_PLAIN[name], {}, _inner(node))
    elif name in _NODES:
        html = _NODES[name](node, attrs)
    else:
        html = _inner(node)
    for mark in reversed(node.get("marks") or ()):
        html = _mark(mark, html)
    return html


def _element(tag: str, attrs: Mapping[str, Any], inner: str) -> str:
    return f"{_open(tag, attrs)}{inner}</{tag}>"


def _open(tag: str, attrs: Mapping[str, Any]) -> str:
    shown = "".join(f' {key}="{escape(str(value))}"' for key, value in attrs.items() if value is not None)
    return f"<{tag}{shown}>"


def _aligned(attrs: Mapping[str, Any]) -> dict[str, Any]:
    align = attrs.get("textAlign")
    return {"style": f"text-align: {align}" if align in ALIGNMENTS else None}


def _heading(node: Mapping[str, Any], attrs: Mapping[str, Any]) -> str:
    return _element(f"h{attrs.get('level') or 1}", {"id": attrs.get("id")}, _inner(node))


def _ordered_list(node: Mapping[str, Any], attrs: Mapping[str, Any]) -> str:
    start = attrs.get("start") if attrs.get("start") is not None else attrs.get("order")
    return _element("ol", {"start": start if start != 1 else None}, _inner(node))


def _code_block(node: Mapping[str, Any], attrs: Mapping[str, Any]) -> str:
    language = attrs.get("language") or attrs.get("params")
    return _element("pre", {}, _element("code", {"class": f"language-{language}" if language else None}, _inner(node)))


def _table(node: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return _element("table", {}, _element("tbody", {}, _inner(node)))


def _cell(tag: str) -> Callable[[Mapping[str, Any], Mapping[str, Any]], str]:
    def build(node: Mapping[str, Any], attrs: Mapping[str, Any]) -> str:
        spans = {key: attrs.get(key) if attrs.get(key) != 1 else None for key in ("colspan", "rowspan")}
        return _element(tag, spans, _inner(node))

    return build


def _image(_: Mapping[str, Any], attrs: Mapping[str, Any]) -> str:
    shown = {key: attrs.get(key) for key in ("src", "alt", "title", "width", "height")}
    return _open("img", shown) if is_address(shown["src"]) else ""


_NODES: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]] = {
    "text": lambda node, _: escape(str(node.get("text", "")), quote=False),
    "paragraph": lambda node, attrs: _element("p", _aligned(attrs), _inner(node)),
    "heading": _heading,
    "ordered_list": _ordered_list,
    "code_block": _code_block,
    "horizontal_rule": lambda *_: "<hr>",
    "hard_break": lambda *_: "<br>",
    "image": _image,
    "table": _table,
    "table_cell": _cell("td"),
    "table_header": _cell("th"),
}


def _mark(mark: Mapping[str, Any], inner: str) -> str:
    name = name_of(mark.get("type"))
    if name == "link":
        attrs = mark.get("attrs") or {}
        href = attrs.get("href")
        return _element("a", {"href": href, "title": attrs.get("title")}, inner) if is_address(href) else inner
    return _element(_MARKS[name], {}, inner) if name in _MARKS else inner

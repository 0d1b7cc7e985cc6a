"""Which nodes and marks there are, what may lie in what, and which attributes each takes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scaicms.kit.html import SCHEMES

Check = Callable[[Any], bool]

_NOT_IN_ADDRESSES = re.compile(r"[\x00-\x20\x7f\\]")
_SCHEME = re.compile(r"([^/?#]*?):")
MAX_ADDRESS = 2_000


def is_address(value: Any) -> bool:
    """A link that cannot act: relative, or of a scheme that only leads somewhere."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ADDRESS or _NOT_IN_ADDRESSES.search(value):
        return False
    scheme = _SCHEME.match(value)
    return scheme is None or scheme[1].lower() in SCHEMES


def _text(longest: int) -> Check:
    return lambda value: isinstance(value, str) and len(value) <= longest and "\0" not in value


def _between(low: int, high: int) -> Check:
    return lambda value: type(value) is int and low <= value <= high


def _one_of(*choices: str) -> Check:
    return lambda value: isinstance(value, str) and value in choices


def _widths(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 100 and all(map(_between(1, 10_000), value))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of node or mark. `content` is the group of what may lie in it; None for a leaf."""

    group: str
    content: str | None = None
    is_filled: bool = False
    """Must hold something."""
    attrs: Mapping[str, Check] = field(default_factory=dict)
    required: frozenset[str] = frozenset()


ALIGNMENTS = ("left", "center", "right", "justify")
_ALIGNED = {"textAlign": _one_of(*ALIGNMENTS)}
_ITEMS = {"order": _between(0, 1_000_000), "start": _between(0, 1_000_000), "type": _one_of("1", "a", "A", "i", "I")}
_CELL = {"colspan": _between(1, 100), "rowspan": _between(1, 1_000), "colwidth": _widths}
_IMAGE = {
    "src": is_address,
    "alt": _text(1_000),
    "title": _text(1_000),
    "width": _between(1, 100_000),
    "height": _between(1, 100_000),
}
_LINK = {
    "href": is_address,
    "title": _text(1_000),
    "target": _one_of("_blank", "_self"),
    "rel": _text(100),
    "class": _text(200),
}

NODES: Mapping[str, Kind] = {
    "doc": Kind("document", "block"),
    "paragraph": Kind("block", "inline", attrs=_ALIGNED),
    "heading": Kind("block", "inline", attrs={**_ALIGNED, "level": _between(1, 6), "id": _text(200)}),
    "blockquote": Kind("block", "block", is_filled=True),
    "bullet_list": Kind("block", "item", is_filled=True),
    "ordered_list": Kind("block", "item", is_filled=True, attrs=_ITEMS),
    "list_item": Kind("item", "block", is_filled=True),
    "code_block": Kind("block", "text", attrs={"language": _text(50), "params": _text(50)}),
    "horizontal_rule": Kind("block"),
    "table": Kind("block", "row", is_filled=True),
    "table_row": Kind("row", "cell"),
    "table_cell": Kind("cell", "block", is_filled=True, attrs=_CELL),
    "table_header": Kind("cell", "block", is_filled=True, attrs=_CELL),
    # Inline in ProseMirror's basic schema, a block in Tiptap's.
    "image": Kind("block inline", attrs=_IMAGE, required=frozenset({"src"})),
    "hard_break": Kind("inline"),
    "text": Kind("inline text"),
}
MARKS: Mapping[str, Kind] = {
    "strong": Kind("mark"),
    "em": Kind("mark"),
    "underline": Kind("mark"),
    "strike": Kind("mark"),
    "code": Kind("mark"),
    "subscript": Kind("mark"),
    "superscript": Kind("mark"),
    "highlight": Kind("mark"),
    "link": Kind("mark", attrs=_LINK, required=frozenset({"href"})),
}
_OTHER_NAMES = {
    "bulletList": "bullet_list",
    "orderedList": "ordered_list",
    "listItem": "list_item",
    "codeBlock": "code_block",
    "horizontalRule": "horizontal_rule",
    "tableRow": "table_row",
    "tableCell": "table_cell",
    "tableHeader": "table_header",
    "hardBreak": "hard_break",
    "bold": "strong",
    "italic": "em",
}


def name_of(kind: Any) -> Any:
    """The name by which the tables know a node or mark."""
    return _OTHER_NAMES.get(kind, kind) if isinstance(kind, str) else None

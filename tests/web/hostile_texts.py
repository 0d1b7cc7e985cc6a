"""Texts, documents and data of the permitted size that were made to take long."""

import json
from typing import Any

MARKDOWN = 299_000
TABLE = "|" + "a|" * 250 + "\n|" + "-|" * 250 + "\n" + "a\n" * 500
"""Two kilobytes that become a megabyte of empty cells."""


def of_length(piece: str, length: int = MARKDOWN) -> str:
    return (piece * (length // len(piece) + 1))[:length]


def markdown_texts() -> dict[str, str]:
    """Markdown that is slow to parse or to sanitise."""
    pieces = ["&", "&#1", "&am", "_*", "# x\n", "[a](b)", "`a", "<", "- a\n", "**a** ", "|a|b|\n", "a&b ", "<b>x</b>"]
    texts = {piece.strip(): of_length(piece) for piece in pieces}
    texts["table"] = "|a|b|\n|-|-|\n" + of_length("|a|b|\n")
    texts["wide tables"] = TABLE
    texts["attributes"] = of_length("<p " + " ".join(f"a{n}=1" for n in range(99)) + ">x</p>\n")
    texts["nested list"] = "".join(" " * (2 * level) + "- a\n" for level in range(500))
    return texts


def richtext(content: list[Any]) -> dict[str, Any]:
    return {"type": "doc", "content": content}


def _text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "paragraph", "content": [{"type": "text", "text": text, **more}]}


def _nested(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = {"type": "paragraph"}
    for _ in range(levels):
        node = {"type": "blockquote", "content": [node]}
    return node


def data() -> dict[str, dict[str, Any]]:
    """Data of the type `big` (`BIG`), each up to a megabyte."""
    marks = [{"type": "strong"}, {"type": "em"}, {"type": "code"}, {"type": "link", "attrs": {"href": "http://a"}}]
    nested: Any = []
    for _ in range(18):
        nested = [nested]
    return {
        "three texts of references": dict.fromkeys(["a", "b", "c"], of_length("&")),
        "three hundred tables in blocks": {"blocks": [{"_type": "box", "text": TABLE} for _ in range(300)]},
        "rich text of many nodes": {"rich": richtext([{"type": "horizontal_rule"}] * 19_000)},
        "rich text of many texts": {"rich": richtext([_text("a")] * 9_000)},
        "rich text of wrong nodes": {"rich": richtext([{"type": "x"}] * 60_000)},
        "rich text of many marks": {"rich": richtext([_text("a&", marks=marks)] * 5_000)},
        "nested rich text": {"rich": richtext([_nested(12)] * 1_300)},
        "long rich text": {"rich": richtext([_text("&" * 890_000)])},
        "a wide list": {"json": [1] * 450_000},
        "many objects": {"json": [{}] * 300_000},
        "many keys": {"json": {str(number): 0 for number in range(90_000)}},
        "deep lists": {"json": [nested] * 20_000},
        "long numbers": {"json": [1234567890123456789] * 45_000},
        "a long text": {"long": "&" * 890_000},
        "a text for a slow pattern": {"slow": "a" * 890_000},
        "a short text for a slow pattern": {"slow": "a" * 9_000},
        "a list of wrong values": {"tags": [1] * 400_000},
        "unknown fields": {f"k{number}": 1 for number in range(70_000)},
        "unknown blocks": {"blocks": [{"_type": "nothing"}] * 40_000},
        "wrong blocks": {"blocks": [{"_type": "two", "y": 1}] * 40_000},
        "blocks in blocks": {"blocks": [{"_type": "box", "inner": [{"_type": "two", "x": 1}] * 900}] * 40},
        "many blocks": {"blocks": [{"_type": "box", "inner": [{"_type": "two", "x": 1}] * 900}] * 5},
        "a title of combining marks": {"title": "\u0301" * 900},
    }


SLOW_PATTERN = "((a{0,30}){0,30}b?)*"
BIG = {
    "key": "big",
    "name": "Big",
    "fields": [
        {"key": "title", "type": "string"},
        {"key": "a", "type": "markdown"},
        {"key": "b", "type": "markdown"},
        {"key": "c", "type": "markdown"},
        {"key": "rich", "type": "richtext"},
        {"key": "json", "type": "json"},
        {"key": "long", "type": "text"},
        {"key": "slow", "type": "text", "pattern": SLOW_PATTERN},
        {"key": "tags", "type": "multiselect"},
        {"key": "near", "type": "relations", "target": "big"},
        {
            "key": "blocks",
            "type": "blocks",
            "components": [
                {
                    "key": "box",
                    "fields": [
                        {"key": "text", "type": "markdown"},
                        {"key": "inner", "type": "blocks", "allowed": ["box", "two"]},
                    ],
                },
                {"key": "two", "fields": [{"key": "x", "type": "number"}]},
            ],
        },
    ],
}


def dumped(value: Any) -> bytes:
    """JSON without blanks: as much as fits into a body."""
    return json.dumps(value, separators=(",", ":")).encode()


def pattern_fields(count: int, pattern: str) -> list[dict[str, Any]]:
    return [{"key": f"f{n}", "type": "string", "pattern": pattern + "x" * (n % 50)} for n in range(count)]


def block_fields(fields: int, components: int, inner: int) -> list[dict[str, Any]]:
    """Fields of a type that define components, each with so many fields."""
    return [
        {
            "key": f"f{n}",
            "type": "blocks",
            "components": [
                {"key": f"c{n}x{k}", "fields": [{"key": f"g{m}", "type": "string"} for m in range(inner)]}
                for k in range(components)
            ],
        }
        for n in range(fields)
    ]


def chained_fields(length: int) -> list[dict[str, Any]]:
    """Components each of which allows the next one."""
    return [
        {
            "key": f"f{n}",
            "type": "blocks",
            "components": [
                {"key": f"c{n}", "fields": [{"key": "g", "type": "blocks", "allowed": [f"c{(n + 1) % length}"]}]}
            ],
        }
        for n in range(length)
    ]


def types() -> dict[str, list[dict[str, Any]]]:
    """Fields of content types that are slow to check, to compile or to describe."""
    return {
        "most fields": block_fields(200, 1, 4),
        "too many components": block_fields(200, 50, 0),
        "components of the same key": [
            {"key": f"f{n}", "type": "blocks", "components": [{"key": "c", "fields": []}] * 50} for n in range(150)
        ],
        "a long chain of components": chained_fields(150),
        "slow patterns": pattern_fields(200, SLOW_PATTERN),
        "patterns of many letters": pattern_fields(200, r"(?i)[\pL\pN]{1,300}"),
        "many options": [{"key": "s", "type": "select", "options": [str(n) for n in range(80_000)]}],
        "fields that lack everything": [{}] * 250_000,
        "components that lack everything": [
            {"key": f"f{n}", "type": "blocks", "components": [{"key": "c", "fields": [{}] * 100}] * 10}
            for n in range(100)
        ],
        "fields that are no objects": [1] * 400_000,  # type: ignore[list-item]  # that is what is wrong with them
    }

"""Heads of Markdown files in the forms of other tools, brought into the one between `---`.

Hugo takes blank lines before the front matter, and JSON in one line; Eleventy, Gatsby and Docusaurus name the language
after `---`; Hexo ends JSON with `;;;`; Pelican and MultiMarkdown have `Key: value` lines up to the first empty one;
Nikola has `.. key: value` lines, mostly in a comment. A head that is not seen is text: then a draft would be public.
"""

from __future__ import annotations

import json
import re

from .rows import RowError

_LANGUAGE = re.compile(r"---[ \t]*([A-Za-z]\w*)[ \t]*\n")
_FENCE = re.compile(r"^---[ \t]*$", re.MULTILINE)
_HEXO_END = re.compile(r"^;;;[ \t]*$", re.MULTILINE)
_ONE_LINE = re.compile(r'\{\s*"')
_PAIR = re.compile(r"([A-Za-z][\w -]{0,60}?)[ \t]*:(?:[ \t]+(.*))?")
_DOTTED = re.compile(r"\.\.[ \t]+([A-Za-z][\w -]{0,60}?)[ \t]*:(?:[ \t]+(.*))?")
_COMMENT = re.compile(r"<!--[ \t]*\n")
_TITLE = "title"


def settled(text: str, longest: int) -> tuple[str, int]:
    """The text with its head in a form that is read, and how many lines were left out before it. A head has at most
    `longest` characters.

    Raises:
        RowError: the head is in a language that is not read.
    """
    begins = text.lstrip()
    skipped = text.count("\n", 0, len(text) - len(begins))
    if begins.startswith(("---", "+++")):
        return _in_language(begins), skipped
    for read in (_one_line_json, _hexo, _dotted, _pairs):
        if (found := read(begins, longest)) is not None:
            values, body = found
            return f"---\n{json.dumps(values, ensure_ascii=False)}\n---\n{body}", skipped
    return text, 0


def _in_language(text: str) -> str:
    named = _LANGUAGE.match(text)
    if named is None:
        return text
    language, rest = named[1].lower(), text[named.end() :]
    if language in ("yaml", "yml", "json"):  # what is JSON is YAML
        return f"---\n{rest}"
    closing = _FENCE.search(rest)
    if closing is None:
        return text
    if language == "toml":
        return f"+++\n{rest[: closing.start()]}+++{rest[closing.end() :]}"
    message = f"Front matter in {named[1]} is not read; write it as YAML, TOML or JSON."
    raise RowError("unsupported_front_matter", message)


def _one_line_json(text: str, longest: int) -> tuple[object, str] | None:
    if _ONE_LINE.match(text) is None or text.startswith("{\n"):
        return None
    try:
        values, end = json.JSONDecoder().raw_decode(text[:longest])
    except (ValueError, RecursionError):
        return None
    line, _, body = text[end:].partition("\n")
    return (values, body) if not line.strip() else None


def _hexo(text: str, longest: int) -> tuple[object, str] | None:
    if not text.startswith(('"', ";;;", "{")):
        return None
    start = _HEXO_END.match(text)
    closing = _HEXO_END.search(text, start.end() if start is not None else 0, longest)
    if closing is None:
        return None
    head = text[start.end() if start is not None else 0 : closing.start()].strip()
    try:
        values = json.loads(head if head.startswith("{") else f"{{{head}}}")
    except (ValueError, RecursionError) as error:
        raise RowError("broken_front_matter", "The JSON front matter that ends with ;;; is broken.") from error
    return values, text[closing.end() :]


def _dotted(text: str, longest: int) -> tuple[object, str] | None:
    comment = _COMMENT.match(text)
    values, end = _lines(text, _DOTTED, comment.end() if comment is not None else 0, longest)
    if not values:
        return None
    rest = text[end:].lstrip("\n")
    return values, rest.removeprefix("-->") if comment is not None else rest


def _pairs(text: str, longest: int) -> tuple[object, str] | None:
    """Only with a title: other texts begin with a word and a colon too."""
    values, end = _lines(text, _PAIR, 0, longest)
    return (values, text[end:]) if _TITLE in values else None


def _lines(text: str, form: re.Pattern[str], start: int, longest: int) -> tuple[dict[str, str], int]:
    """The values of the lines from `start` on, each continued by indented ones, and where they end."""
    values: dict[str, str] = {}
    key, at = None, start
    for line in text[start : start + longest].split("\n"):
        matched = form.fullmatch(line)
        if matched is not None:
            key = matched[1].lower()
            values[key] = (matched[2] or "").strip()
        elif key is not None and line[:1] in (" ", "\t") and line.strip():
            values[key] = f"{values[key]}\n{line.strip()}".strip()
        else:
            break
        at += len(line) + 1
    return values, min(at, len(text))

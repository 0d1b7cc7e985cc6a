"""The head of a Markdown file: TOML between `+++`, YAML between `---`, JSON between `{` and `}`."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, replace
from typing import Any

import yaml
from frontmatter.default_handlers import BaseHandler, JSONHandler, SafeLoader, YAMLHandler
from pydantic import JsonValue

from .heads import settled
from .json_values import UnsupportedValueError, to_object
from .patterns import Pattern
from .rows import ReadLimits, RowError

# tomllib takes quadratic time for a dotted key; nobody nests this deep by hand.
_TOML_KEY_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_TOML_LONG_KEY = Pattern(rf"{_TOML_KEY_PART}(?:[ \t]*\.[ \t]*{_TOML_KEY_PART}){{64}}")
# What aliases may make of the front matter, as a multiple of its permitted size.
_ALIAS_GROWTH = 16


class _TOMLHandler(BaseHandler):
    # The library's own one wants a third-party parser that stops at TOML 0.5.
    FM_BOUNDARY = re.compile(r"^\+{3}[ \t]*$", re.MULTILINE)

    def load(self, fm: str) -> dict[str, Any]:
        if _TOML_LONG_KEY.search(fm):
            raise RowError("broken_front_matter", "A dotted key has more than 64 parts.")
        return tomllib.loads(fm)


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    handler: BaseHandler
    second_line: re.Pattern[str]
    """Tells a head that was never closed from Markdown that begins with a rule or a brace."""


# The boundaries take no line break, so that line numbers within the head are those of the file.
_FORMATS = (
    _Format("TOML", _TOMLHandler(), re.compile(r"")),
    _Format(
        "YAML",
        YAMLHandler(fm_boundary=re.compile(r"^-{3}[ \t]*$", re.MULTILINE)),
        re.compile(r"[\w\"'-]+[\w \"'-]*:(?:\s|$)"),
    ),
    _Format(
        "JSON",
        JSONHandler(fm_boundary=re.compile(r"^[{}][ \t]*$", re.MULTILINE)),
        re.compile(r'\s*"'),
    ),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A Markdown file taken apart. The body has `\\n` line ends and no blank lines around it."""

    values: dict[str, JsonValue]
    body: str
    warnings: tuple[str, ...] = ()


def parse_document(data: bytes, limits: ReadLimits) -> Document:
    """Take a Markdown file apart; one without front matter is all body.

    Raises `RowError` with the line for text that is not UTF-8, and for front matter that is
    broken, not closed, too large, not a table of keys, or made to explode.
    """
    text = _decode(data)
    usual, skipped = settled(text, limits.front_matter_bytes)
    try:
        document = _parsed(usual, limits)
    except RowError as error:
        raise RowError(error.code, error.message, error.line + skipped) from error
    return document if document.values else replace(document, body=_trim(text if usual != text else document.body))


def _parsed(text: str, limits: ReadLimits) -> Document:
    fmt = next((fmt for fmt in _FORMATS if fmt.handler.detect(text)), None)
    if fmt is None:
        return Document({}, _trim(text))
    try:
        head, body = fmt.handler.split(text)
    except ValueError:
        return _unclosed(text, fmt)
    if len(head.encode()) > limits.front_matter_bytes:
        raise RowError("front_matter_too_large", f"The front matter is larger than {limits.front_matter_bytes} bytes.")
    loaded = _load(fmt, head, limits)
    if isinstance(loaded, str):
        warning = "The text begins with a rule (---), not with front matter; all of it became the body."
        return Document({}, _trim(text), (warning,))
    if loaded is None:
        loaded = {}
    if not isinstance(loaded, dict):
        raise RowError("broken_front_matter", "The front matter is a list; write it as `key: value` lines.")
    return Document(_values(loaded, limits), _trim(body))


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RowError("not_utf8", "The file is UTF-16; save it as UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The decoder's own view of the bytes: a BOM is already gone from it.
        line = error.object.count(b"\n", 0, error.start) + 1
        wrong = error.object[error.start]
        message = f"The byte 0x{wrong:02x} is not UTF-8; save the file as UTF-8."
        raise RowError("not_utf8", message, line) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise RowError("nul_character", "The text contains a NUL character; is it a binary file?", line)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unclosed(text: str, fmt: _Format) -> Document:
    first, _, rest = text.partition("\n")
    if fmt.second_line.match(rest):
        closing = "}" if fmt.name == "JSON" else first.strip()
        raise RowError(
            "unclosed_front_matter",
            f"The {fmt.name} front matter that begins here is never closed; end it with a line {closing}",
        )
    return Document({}, _trim(text))


def _load(fmt: _Format, head: str, limits: ReadLimits) -> Any:
    try:
        if fmt.name == "YAML":
            _refuse_bombs(head, limits)
        return fmt.handler.load(head)
    except RecursionError as error:
        raise RowError("broken_front_matter", "The front matter is nested too deeply.") from error
    except RowError:
        raise
    except (ValueError, yaml.YAMLError) as error:
        why, line = _explain(error, head)
        message = f"The {fmt.name} front matter is broken: {why}."
        raise RowError("broken_front_matter", message, line) from error


def _explain(error: Exception, head: str) -> tuple[str, int]:
    """What the parser says, and the line of the file (the head begins with line 1's line break)."""
    match error:
        case yaml.MarkedYAMLError(problem=str(problem), problem_mark=mark):
            return problem, mark.line + 1 if mark else 1
        case yaml.reader.ReaderError(reason=str(problem), position=int(position)):
            return problem, head.encode().count(b"\n", 0, position) + 1
        case json.JSONDecodeError(msg=str(problem), lineno=int(line)):
            return problem, line
    message = str(error)
    if place := re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message):
        line = int(place[1]) if place[1] else head.count("\n") + 1
        return message[: place.start()], line
    return " ".join(message.split()).rstrip("."), 1


def _refuse_bombs(head: str, limits: ReadLimits) -> None:
    """Follow the events of the YAML and add up what its aliases would expand to.

    Runs before anything is built: merge keys and shared nodes multiply (the "billion laughs"),
    and deep nesting would overflow the stack of the C loader.
    """
    budget = limits.front_matter_bytes * _ALIAS_GROWTH
    weights: dict[str | None, int | None] = {}  # by anchor; None while it is still open
    open_nodes: list[tuple[str | None, int]] = []
    weight = 0
    for event in yaml.parse(head, Loader=SafeLoader):
        before, anchor = weight, getattr(event, "anchor", None)
        match event:
            case yaml.AliasEvent():
                aliased = weights.get(anchor, 0)
                if aliased is None:
                    raise _bomb("an alias contains itself", event)
                weight += aliased + 1
            case yaml.ScalarEvent():
                weight += len(event.value) + 1
                weights[anchor] = weight - before
            case yaml.CollectionStartEvent():
                open_nodes.append((anchor, before))
                weights[anchor] = None
                weight += 1
            case yaml.CollectionEndEvent():
                anchor, before = open_nodes.pop()
                weights[anchor] = weight - before
        if weight > budget:
            raise _bomb("its aliases expand to too much", event)
        if len(open_nodes) > limits.depth:
            raise _bomb(f"it is nested more than {limits.depth} levels deep", event)


def _bomb(why: str, event: yaml.Event) -> RowError:
    line = event.start_mark.line + 1 if event.start_mark else 1
    return RowError("front_matter_bomb", f"The YAML front matter is refused: {why}.", line)


def _values(loaded: dict[Any, Any], limits: ReadLimits) -> dict[str, JsonValue]:
    if len(loaded) > limits.keys:
        raise RowError("too_many_keys", f"The front matter has more than {limits.keys} keys.")
    try:
        return to_object(loaded, depth=limits.depth)
    except UnsupportedValueError as error:
        raise RowError("unsupported_value", f"In the front matter: {error}") from error


def _trim(text: str) -> str:
    """Without blank lines before and white space after; indentation of the first line counts."""
    blank = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, blank) + 1 :].rstrip()

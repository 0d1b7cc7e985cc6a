"""Markdown to safe HTML, and to the plain text that search reads. CommonMark with tables, footnotes and anchors."""

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.footnote import footnote_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from scaicms.kit.html import sanitise

_FORMATTER = HtmlFormatter(nowrap=True)


def _highlight(code: str, language: str, _: str) -> str:
    try:
        lexer = get_lexer_by_name(language.split(",")[0].strip()) if language else None
    except ClassNotFound:
        lexer = None
    return str(highlight(code, lexer, _FORMATTER)) if lexer is not None else ""


_PARSER = (
    MarkdownIt("commonmark", {"html": True, "linkify": False, "typographer": False, "highlight": _highlight})
    .enable(["table", "strikethrough"])
    .use(anchors_plugin, max_level=6, permalink=False)
    .use(footnote_plugin)
)


def to_html(text: str) -> str:
    """HTML of Markdown, sanitised: no scripts, no styles but text alignment, links to http, https and mailto only."""
    return sanitise(_PARSER.render(text))


def to_text(text: str) -> str:
    """The words of Markdown, without marks, addresses and HTML."""
    words: list[str] = []
    for token in _PARSER.parse(text):
        _collect(token, words)
    return " ".join(words)


def _collect(token: Token, words: list[str]) -> None:
    if token.type in ("text", "code_inline", "code_block", "fence"):
        words.append(token.content)
    for child in token.children or ():
        _collect(child, words)

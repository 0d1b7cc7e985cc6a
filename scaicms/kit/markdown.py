"""Markdown to safe HTML, and to the plain text that search reads. CommonMark with tables, footnotes and anchors."""

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.footnote import footnote_plugin
from nh3 import clean
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

_TAGS = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "section",
        "small",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
        "var",
    ]
)
_ATTRIBUTES = {
    "*": {"id", "class", "title", "lang", "dir"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "td": {"align", "style"},
    "th": {"align", "style", "scope"},
    "ol": {"start"},
}
_SCHEMES = {"http", "https", "mailto"}
_STYLES = {"text-align"}
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
    return clean(
        _PARSER.render(text),
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        filter_style_properties=_STYLES,
    )


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

"""Markdown to safe HTML, to the plain text that search reads, and to its first heading.

CommonMark with tables, strikethrough and footnotes (pulldown-cmark's; time in proportion to the text, whatever it is).
"""

import re
from html import escape, unescape

from nh3 import clean
from pyromark import Markdown, Options

from scaicms.kit.html import sanitise
from scaicms.kit.html_bounds import excess

_PARSER = Markdown(options=Options.ENABLE_TABLES | Options.ENABLE_STRIKETHROUGH | Options.ENABLE_FOOTNOTES)
# Of sanitised HTML: attributes are quoted, and what is not a tag is escaped.
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_HEADING = re.compile(r"<(h[1-6])>(.*?)</\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>?")
_NOT_IN_IDS = re.compile(r"[^\w\- ]")
HEAD = 8_000
# What is beside each other on a page must not become one word.
_APART = re.compile(r"(?=</t[dh]>|<br|<img)")


def to_html(text: str) -> str:
    """HTML of Markdown, sanitised: no scripts, no styles but text alignment, links to http, https and mailto only.

    Headings have ids as GitHub makes them, code blocks the class `language-…`.
    """
    html = _PARSER.html(text)
    if excess(html) is not None:  # `problem` keeps it out; what is older is shown as it was written
        return as_written(text)
    taken: dict[str, int] = {}
    return _HEADING.sub(lambda heading: _with_id(heading, taken), sanitise(html))


def as_written(text: str) -> str:
    """HTML that shows a text that is not rendered."""
    return f"<pre>{escape(text, quote=False)}</pre>"


def problem(text: str) -> str | None:
    """Why a text is not to be rendered; None where it may be."""
    return excess(_PARSER.html(text))


def parsed_size(text: str) -> int:
    """How many characters of HTML the text gives before it is sanitised; takes time in proportion to them."""
    return len(_PARSER.html(text))


def to_text(text: str) -> str:
    """The words of Markdown, without marks, addresses and HTML."""
    return " ".join(_words(_PARSER.html(text)).split())


def first_heading(text: str) -> str | None:
    """The words of the first heading that has any, within the first `HEAD` characters of text and HTML."""
    headings = _stripped(_PARSER.html(text[:HEAD])[:HEAD], _HEADINGS)
    found = (" ".join(unescape(_TAG.sub("", heading[2])).split()) for heading in _HEADING.finditer(headings))
    return next((words for words in found if words), None)


def _words(html: str) -> str:
    return unescape(_stripped(html, set()))


def _stripped(html: str, tags: set[str]) -> str:
    if excess(html) is not None:
        return _TAG.sub(" ", html)
    return clean(_APART.sub(" ", html), tags=tags, attributes={})


def _with_id(heading: re.Match[str], taken: dict[str, int]) -> str:
    words = unescape(_TAG.sub("", heading[2])).strip().lower()
    wanted = _NOT_IN_IDS.sub("", words).replace(" ", "-")
    if not wanted:
        return heading[0]
    taken[wanted] = number = taken.get(wanted, -1) + 1
    return f'<{heading[1]} id="{wanted}{f"-{number}" if number else ""}">{heading[2]}</{heading[1]}>'

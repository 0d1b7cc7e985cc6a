"""Whether HTML can be parsed in milliseconds: a parser's time is that of the text times how deep elements nest, and how
many attributes one has.

Reads tags as the HTML Standard's tokenizer does (§13.2.5), so that nothing hides in comments, quotes or scripts.
"""

import re

MAX_NESTING = 200
MAX_ATTRIBUTES = 100
# Shorter HTML is parsed fast, whatever it is.
UNCHECKED = 20_000

_ATTRIBUTE = r"""[^\s/>][^\s/>=]*(?:\s*=\s*(?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z)|[^\s>"'][^\s>]*)?)?"""
# Each alternative consumes what it has looked at, and never gives back: time in proportion to the text.
_TOKEN = re.compile(
    rf"""<!--(?:-?>|.*?(?:--!?>|\Z))
    |<(?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*)(?P<rest>(?:[\s/]+|{_ATTRIBUTE})*+)>?
    |<[!?/][^>]*>?""",
    re.DOTALL | re.VERBOSE,
)
_ONE_ATTRIBUTE = re.compile(_ATTRIBUTE)
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_RAW = frozenset(
    ["iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp"]
)
# Within these the raw ones are elements like others.
_FOREIGN = frozenset(["math", "svg"])


def excess(html: str) -> str | None:
    """What keeps HTML from being parsed in milliseconds; None where nothing does."""
    if len(html) <= UNCHECKED:
        return None
    lower, at, depth, foreign, raw = html.lower(), 0, 0, False, False
    while (token := _TOKEN.search(html, at)) is not None:
        at = token.end()
        if token["name"] is None:
            continue
        if token["end"]:
            depth = max(0, depth - 1)
            continue
        name = token["name"].lower()
        depth += name not in _VOID
        foreign, raw = foreign or name in _FOREIGN, raw or name in _RAW
        if name in _RAW:
            found = lower.find(f"</{name}", at)
            at = found if found >= 0 else len(html)
        if depth > MAX_NESTING:
            return f"nests elements more than {MAX_NESTING} levels deep"
        if len(token["rest"]) > 2 * MAX_ATTRIBUTES and len(_ONE_ATTRIBUTE.findall(token["rest"])) > MAX_ATTRIBUTES:
            return f"has an element with more than {MAX_ATTRIBUTES} attributes"
    return "has SVG or MathML beside scripts, styles or titles; leave one out" if foreign and raw else None

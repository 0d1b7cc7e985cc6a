"""What a rendering process does, and the event loop itself for small texts. Pure, and blocks: no I/O, no await."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from scaicms.infra.rendering.limits import MAX_HTML
from scaicms.kit import markdown, richtext

Operation = Literal["html", "words", "check"]
Value = tuple[str, Any]
"""The type of a field, `markdown` or `richtext`, and a value of it."""


class ExcessError(Exception):
    """A text that is not rendered; `args` are its index and the reason."""


def _no_problem(_: Any) -> None:
    return None


_WORK: Mapping[Operation, Mapping[str, Callable[[Any], str | None]]] = {
    "html": {"markdown": markdown.to_html, "richtext": richtext.to_html},
    "words": {"markdown": markdown.to_text, "richtext": richtext.to_text},
    "check": {"markdown": markdown.problem, "richtext": _no_problem},
}


def perform(operation: Operation, values: Sequence[Value]) -> list[str | None]:
    """The result for each text.

    Raises:
        ExcessError: a text is not to be rendered, or all together give too much HTML.
    """
    size = 0
    for index, (kind, value) in enumerate(values):
        size += markdown.parsed_size(value) if kind == "markdown" else 0
        if size > MAX_HTML:
            raise ExcessError(index, f"gives more than {MAX_HTML:,} characters of HTML")
    results = [_WORK[operation][kind](value) for kind, value in values]
    wrong = next((index for index, result in enumerate(results) if result is not None), None)
    if operation == "check" and wrong is not None:
        raise ExcessError(wrong, results[wrong])
    return results

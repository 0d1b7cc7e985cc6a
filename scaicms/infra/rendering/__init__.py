"""Markdown and rich text to HTML and words, off the event loop and within bounds that the kernel enforces."""

from scaicms.infra.rendering.limits import MAX_HTML
from scaicms.infra.rendering.renderer import Text, UnrenderableError, be_patient, check_texts, to_html, to_words

__all__ = ["MAX_HTML", "Text", "UnrenderableError", "be_patient", "check_texts", "to_html", "to_words"]

"""Rich text: ProseMirror's node form as JSON, checked against a fixed schema; its HTML, and its words.

Node and mark names are those of prosemirror-schema-basic (`bullet_list`, `strong`); the names that Tiptap gives to the
same things (`bulletList`, `bold`) are taken too, and kept as they were sent.
"""

from scaicms.kit.richtext.checking import MAX_DEPTH, MAX_NODES, MAX_TEXT, Problem, problems
from scaicms.kit.richtext.html import to_html
from scaicms.kit.richtext.text import to_text

__all__ = ["MAX_DEPTH", "MAX_NODES", "MAX_TEXT", "Problem", "problems", "to_html", "to_text"]

"""Checking a document: every node and mark is known, lies where it may lie, and the whole is bounded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from scaicms.kit.richtext.schema import MARKS, NODES, Kind, name_of

MAX_DEPTH = 24
"""Levels of nodes; a body of 32 levels of JSON does not hold more of them than half."""
MAX_NODES = 20_000
MAX_TEXT = 900_000
"""Characters of all text together."""
MAX_MARKS = 10
MAX_PROBLEMS = 20

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where: the way from the document's root, as keys and indexes."""

    place: Place
    code: str
    message: str


def problems(document: Any) -> list[Problem]:
    """What is wrong with a document, at most `MAX_PROBLEMS`; empty for a good one."""
    check = _Check()
    check.node(document, "document", (), 1)
    return check.found


@dataclass(slots=True)
class _Check:
    found: list[Problem] = field(default_factory=list)
    nodes: int = 0
    characters: int = 0

    @property
    def is_over(self) -> bool:
        return len(self.found) >= MAX_PROBLEMS

    def say(self, place: Place, code: str, message: str) -> None:
        if not self.is_over:
            self.found.append(Problem(place, code, message))

    def node(self, node: Any, group: str, place: Place, depth: int) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self.say(place, "too_many_nodes", f"A document has at most {MAX_NODES} nodes.")
            return
        kind = self._kind(node, group, place)
        if kind is None:
            return
        if depth > MAX_DEPTH:
            self.say(place, "too_deep", f"Nodes nest at most {MAX_DEPTH} levels.")
            return
        self._keys(node, kind, place)
        self._attributes(node.get("attrs"), kind, (*place, "attrs"))
        self._marks(node, place, allowed="inline" in kind.group.split() and group != "text")
        if kind is NODES["text"]:
            self._text(node.get("text"), (*place, "text"))
        else:
            self._content(node, kind, place, depth)

    def _kind(self, node: Any, group: str, place: Place) -> Kind | None:
        if not isinstance(node, dict):
            self.say(place, "node_type", "A node is an object with a type.")
            return None
        kind = NODES.get(name_of(node.get("type")))
        if kind is None:
            self.say((*place, "type"), "unknown_node", f"There are {', '.join(NODES)}.")
        elif group not in kind.group.split():
            self.say((*place, "type"), "misplaced_node", f"Only {', '.join(_members(group))} may stand here.")
        else:
            return kind
        return None

    def _keys(self, node: Mapping[str, Any], kind: Kind, place: Place) -> None:
        known = {"type", "attrs", "marks", "text" if kind is NODES["text"] else "content"}
        for key in node.keys() - known:
            self.say((*place, key), "unknown_field", "A node does not have this.")

    def _attributes(self, attrs: Any, kind: Kind, place: Place) -> None:
        if attrs is not None and not isinstance(attrs, dict):
            self.say(place, "attrs_type", "Attributes are an object.")
            return
        given = {key: value for key, value in (attrs or {}).items() if value is not None}
        for key in kind.required - given.keys():
            self.say((*place, key), "required", "This attribute is needed.")
        for key, value in (attrs or {}).items():
            check = kind.attrs.get(key)
            if check is None:
                self.say((*place, key), "unknown_field", "There is no such attribute here.")
            elif value is not None and not check(value):
                self.say((*place, key), "invalid_attribute", "The attribute cannot have this value.")

    def _marks(self, node: Mapping[str, Any], place: Place, *, allowed: bool) -> None:
        marks = node.get("marks")
        if marks is None:
            return
        if not isinstance(marks, list) or len(marks) > MAX_MARKS or (marks and not allowed):
            self.say((*place, "marks"), "invalid_marks", f"Inline nodes have a list of at most {MAX_MARKS} marks.")
            return
        for number, mark in enumerate(marks):
            inside = (*place, "marks", number)
            kind = MARKS.get(name_of(mark.get("type"))) if isinstance(mark, dict) else None
            if kind is None:
                self.say(inside, "unknown_mark", f"There are {', '.join(MARKS)}.")
                continue
            for key in mark.keys() - {"type", "attrs"}:
                self.say((*inside, key), "unknown_field", "A mark does not have this.")
            self._attributes(mark.get("attrs"), kind, (*inside, "attrs"))

    def _text(self, text: Any, place: Place) -> None:
        if not isinstance(text, str) or not text or "\0" in text:
            self.say(place, "invalid_text", "A text node has a text that is not empty and has no U+0000.")
            return
        before, self.characters = self.characters, self.characters + len(text)
        if before <= MAX_TEXT < self.characters:
            self.say(place, "too_long", f"A document has at most {MAX_TEXT} characters.")

    def _content(self, node: Mapping[str, Any], kind: Kind, place: Place, depth: int) -> None:
        content = node.get("content")
        if content is None:
            content = []
        if not isinstance(content, list) or (kind.content is None and content):
            self.say((*place, "content"), "invalid_content", "Content is a list of nodes, and empty in a leaf.")
            return
        if kind.is_filled and not content:
            self.say((*place, "content"), "required", "This node cannot be empty.")
        for number, child in enumerate(content):
            if self.is_over or self.nodes > MAX_NODES:
                return
            self.node(child, kind.content or "", (*place, "content", number), depth + 1)


def _members(group: str) -> Iterator[str]:
    return (name for name, kind in NODES.items() if group in kind.group.split())

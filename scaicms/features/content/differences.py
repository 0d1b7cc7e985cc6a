"""What two versions of an item's data differ in, field by field; inside long texts word by word, inside lists and
components by their stable ids."""

import re
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from diff_match_patch import diff_match_patch

from scaicms.features.content.revision_schemas import ElementChange, FieldChange, TextPart
from scaicms.features.content_types.schemas import FieldDefinition
from scaicms.features.content_types.service import CompiledType
from scaicms.kit import richtext

BUDGET_SECONDS = 0.5
"""What comparing the texts of two versions may take; what is left then counts as replaced."""
MAX_HALF_MATCH = 20_000
"""Words up to which a long common part is looked for first."""
MAX_CHARACTERS = 400_000
"""Of both texts together; longer ones are shown before and after alone."""

_LONG = frozenset({"text", "markdown", "richtext"})
_COMPONENTS = frozenset({"component", "components", "blocks"})
_LISTS = frozenset({"multiselect", "relations", "assets"})
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_OPS: Mapping[int, Literal["removed", "equal", "added"]] = {-1: "removed", 0: "equal", 1: "added"}
_SURROGATES = 0xD800

Fields = Mapping[str, FieldDefinition]


class Comparison:
    """Compares data of one type, as long as there is time."""

    def __init__(self, content_type: CompiledType) -> None:
        self._type = content_type
        self._deadline = time.time() + BUDGET_SECONDS

    def fields(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, FieldChange]:
        """The fields that differ, in the order of the type."""
        return self._compare(self._type.fields, before, after)

    def _compare(self, fields: Fields, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, FieldChange]:
        keys = dict.fromkeys([*fields, *before, *after])
        changed = [key for key in keys if not key.startswith("_") and before.get(key) != after.get(key)]
        return {key: self._change(fields.get(key), before.get(key), after.get(key)) for key in changed}

    def _change(self, field: FieldDefinition | None, before: Any, after: Any) -> FieldChange:
        change = FieldChange(op=_op(before, after), before=before, after=after)
        kind = field.type if field is not None else "json"
        if kind in _LONG and change.op == "changed":
            change.text = self._text(_words(kind, before), _words(kind, after))
        elif kind in _COMPONENTS:
            change.elements = self._elements(_components_by_id(before), _components_by_id(after))
        elif kind in _LISTS:
            change.elements = self._elements(_values_by_id(before), _values_by_id(after))
        return change

    def _elements(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ElementChange]:
        """What became of each element. Those that keep their order among themselves have not moved."""
        kept = [key for key in before if key in after]
        settled = _longest_in_order([key for key in after if key in before], kept)
        changes = [
            ElementChange(op="removed", id=key, type=_type_of(value), before=value)
            for key, value in before.items()
            if key not in after
        ]
        for key, value in after.items():
            if key not in before:
                changes.append(ElementChange(op="added", id=key, type=_type_of(value), after=value))
            elif before[key] != value or key not in settled:
                changes.append(self._element(key, before[key], value, moved=key not in settled))
        return changes

    def _element(self, key: str, before: Any, after: Any, *, moved: bool) -> ElementChange:
        change = ElementChange(op="changed" if before != after else "moved", id=key, type=_type_of(after), moved=moved)
        if before != after:
            definition = self._type.components.get(change.type or "")
            fields = {field.key: field for field in definition.fields} if definition is not None else {}
            change.fields = self._compare(fields, before, after)
        return change

    def _text(self, before: str | None, after: str | None) -> list[TextPart] | None:
        if before is None or after is None or len(before) + len(after) > MAX_CHARACTERS:
            return None
        alphabet: dict[str, str] = {}
        coded = ["".join(_letter(word, alphabet) for word in _WORDS.findall(text)) for text in (before, after)]
        words = {letter: word for word, letter in alphabet.items()}
        # A deadline that has passed makes it one replacement, after the common beginning and end are found.
        search = diff_match_patch()
        if sum(map(len, coded)) > MAX_HALF_MATCH:
            search.Diff_Timeout = 0  # no half match: it takes time with the square of the length, past the deadline
        found = search.diff_main(*coded, False, self._deadline)
        return [TextPart(op=_OPS[op], text="".join(words[letter] for letter in run)) for op, run in found]


def _letter(word: str, alphabet: dict[str, str]) -> str:
    """One character for each word: the comparison is of characters."""
    number = 1 + len(alphabet)
    return alphabet.setdefault(word, chr(number if number < _SURROGATES else number + 0x800))


def _op(before: Any, after: Any) -> Literal["added", "removed", "changed"]:
    if before is None:
        return "added"
    return "removed" if after is None else "changed"


def _words(kind: str, value: Any) -> str | None:
    """The text of a value; None where it is none that its field could have today."""
    if kind == "richtext":
        return None if richtext.problems(value) else richtext.to_text(value)
    return value if isinstance(value, str) else None


def _type_of(value: Any) -> str | None:
    return value.get("_type") if isinstance(value, dict) else None


def _components_by_id(value: Any) -> dict[str, Any]:
    elements = value if isinstance(value, list) else [value]
    return {str(element.get("_id")): element for element in elements if isinstance(element, dict)}


def _values_by_id(value: Any) -> dict[str, Any]:
    return {str(element): element for element in (value if isinstance(value, list) else ())}


def _longest_in_order(now: Sequence[str], then: Sequence[str]) -> set[str]:
    """Of elements in their order now, as many as possible that were in the same order then (patience sorting)."""
    place = {key: number for number, key in enumerate(then)}
    ends: list[str] = []
    before: dict[str, str | None] = {}
    for key in now:
        at = bisect_left(ends, place[key], key=place.__getitem__)
        before[key] = ends[at - 1] if at else None
        ends[at : at + 1] = [key]
    found: set[str] = set()
    last = ends[-1] if ends else None
    while last is not None:
        found.add(last)
        last = before[last]
    return found

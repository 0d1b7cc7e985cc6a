"""What a list is filtered by, as a tree. Parameters (`filter[or][0][data.a][eq]=…`) and JSON come to the same one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from scaicms.kit import json
from scaicms.kit.errors import BadRequestError

MAX_CLAUSES = 20
MAX_LIST_VALUES = 200
MAX_DEPTH = 8
"""Groups in groups."""
MAX_MEMBERS = 2 * MAX_LIST_VALUES + 10 * MAX_CLAUSES
"""Conditions, groups and values of a JSON filter together: more is refused before any of them is read."""
MAX_CHARACTERS = 20_000
"""Of all values of a filter together. Patterns are compared with every row that may have them."""
LISTS = ("in", "nin", "between")
TERM_LISTS = ("eq", "ne", "in", "nin", "under")

_PARAMETER = re.compile(r"filter((?:\[[^\[\]]*\])+)")
_PATH = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
_WORD = re.compile(r"[a-z][a-z_]*")
_INDEX = re.compile(r"\d{1,3}")
_HOW = "write filter[data.title]=…, filter[data.price][gte]=… or filter[or][0][data.title]=…"


class FilterError(BadRequestError):
    code = "invalid_filter"


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition; the operator says how many values it takes."""

    path: str
    operator: str
    values: tuple[str, ...]

    @property
    def about_terms(self) -> bool:
        return _about_terms(self.path)


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions together; `not`: not all of them."""

    kind: Literal["and", "or", "not"]
    members: "tuple[Tree, ...]"


Tree: TypeAlias = Clause | Group
EVERYTHING = Group("and", ())
"""No condition at all."""


def clauses(tree: Tree) -> Iterator[Clause]:
    """Every condition, in order."""
    if isinstance(tree, Clause):
        yield tree
        return
    for member in tree.members:
        yield from clauses(member)


@dataclass(slots=True)
class _Node:
    """A group while parameters come in."""

    clauses: list[Clause] = field(default_factory=list)
    lists: "dict[str, dict[int, _Node]]" = field(default_factory=dict)
    negated: "_Node | None" = None

    def below(self, kind: str, number: str) -> "_Node":
        return self.lists.setdefault(kind, {}).setdefault(int(number), _Node())

    def below_not(self) -> "_Node":
        if self.negated is None:
            self.negated = _Node()
        return self.negated

    def group(self, kind: Literal["and", "not"] = "and") -> Group:
        members: list[Tree] = list(self.clauses)
        for name in ("and", "or"):
            if name in self.lists:
                inner = tuple(node.group() for _, node in sorted(self.lists[name].items()))
                members.append(Group("and" if name == "and" else "or", inner))
        if self.negated is not None:
            members.append(self.negated.group("not"))
        return Group(kind, tuple(members))


def from_parameters(parameters: Sequence[tuple[str, str]]) -> Group:
    """The tree of `filter[…]` parameters.

    Raises:
        FilterError: one is none, or there are too many.
    """
    root = _Node()
    for name, value in parameters:
        matched = _PARAMETER.fullmatch(name)
        if matched is None:
            raise FilterError(f"{name} is not a filter; {_HOW}.")
        node, words = _place(root, name, matched[1][1:-1].split("]["))
        operator = words[1] if len(words) == 2 else "eq"
        node.clauses.append(_clause(words[0], operator, _split(words[0], operator, value)))
    return _checked(root.group())


def _place(root: _Node, name: str, words: list[str]) -> tuple[_Node, list[str]]:
    """The group that a parameter is in, and its path and operator."""
    node, at = root, 0
    while at < len(words) and words[at] in ("and", "or", "not"):
        if at > 2 * MAX_DEPTH:
            raise FilterError(f"Groups lie at most {MAX_DEPTH} deep in each other.")
        if words[at] == "not":
            node, at = node.below_not(), at + 1
        elif at + 1 < len(words) and _INDEX.fullmatch(words[at + 1]):
            node, at = node.below(words[at], words[at + 1]), at + 2
        else:
            raise FilterError(
                f"{name}: {words[at]} takes numbered members; write filter[{words[at]}][0][data.title]=…."
            )
    rest = words[at:]
    if not 1 <= len(rest) <= 2 or not _PATH.fullmatch(rest[0]) or not all(map(_WORD.fullmatch, rest[1:])):
        raise FilterError(f"{name} is not a filter; {_HOW}.")
    return node, rest


def _split(path: str, operator: str, value: str) -> tuple[str, ...]:
    return tuple(value.split(",")) if operator in _lists_of(path) else (value,)


def _about_terms(path: str) -> bool:
    """Whether it names terms of a taxonomy: `terms.topics`, `data.author.terms.topics`."""
    return path.split(".")[-2:-1] == ["terms"]


def _lists_of(path: str) -> Sequence[str]:
    """The operators that take lists of values there."""
    return TERM_LISTS if _about_terms(path) else LISTS


def from_json(value: Mapping[str, Any]) -> Group:
    """The tree of a JSON object: `{"data.price": {"gte": 10}, "or": [{…}, {…}], "not": {…}}`.

    Raises:
        FilterError: it is not of this form, or there is too much of it.
    """
    _check_size(value)
    return _checked(_group(value, "and", 0))


def _check_size(value: Any) -> None:
    """Refuse too many members before they are read: a megabyte of conditions takes 0.2 s of the event loop."""
    waiting, seen = [value], 0
    while waiting:
        one = waiting.pop()
        members = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        seen += len(members)
        if seen > MAX_MEMBERS:
            raise FilterError(
                f"The filter is too large: at most {MAX_CLAUSES} filters with {2 * MAX_LIST_VALUES} values together."
            )
        waiting.extend(members)


def _group(value: Any, kind: Literal["and", "not"], depth: int) -> Group:
    if not isinstance(value, dict) or (not value and depth):
        raise FilterError("A group of filters is an object with conditions in it.")
    if depth > MAX_DEPTH:
        raise FilterError(f"Groups lie at most {MAX_DEPTH} deep in each other.")
    members: list[Tree] = []
    for path, asked in value.items():
        if path not in ("and", "or", "not"):
            members += _conditions(path, asked)
    for name in ("and", "or"):
        if name in value:
            if not isinstance(value[name], list) or not value[name]:
                raise FilterError(f"{name} takes a list of groups.")
            inner = tuple(_group(member, "and", depth + 1) for member in value[name])
            members.append(Group("and" if name == "and" else "or", inner))
    if "not" in value:
        members.append(_group(value["not"], "not", depth + 1))
    return Group(kind, tuple(members))


def _conditions(path: str, asked: Any) -> list[Clause]:
    if not _PATH.fullmatch(path):
        raise FilterError(f"{path!r} is not a path; write data.title, slug or terms.topics.")
    if not isinstance(asked, dict):
        return [_clause(path, "eq", _texts(path, "eq", asked))]
    return [_clause(path, operator, _texts(path, operator, value)) for operator, value in asked.items()]


def _texts(path: str, operator: str, value: Any) -> tuple[str, ...]:
    """A JSON value as the texts that a parameter would hold."""
    takes = _lists_of(path)
    if isinstance(value, list):
        if operator not in takes or not value:
            raise FilterError(f"{path}: {operator} takes {'a list of values' if operator in takes else 'one value'}.")
        return tuple(_text(path, item) for item in value)
    return (_text(path, value),)


def _text(path: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | float):
        return json.dumps_text(value)
    if isinstance(value, int):
        return str(value)
    raise FilterError(f"{path}: a value is a text, a number, true or false; ask for missing ones by exists.")


def _clause(path: str, operator: str, values: tuple[str, ...]) -> Clause:
    if len(values) > MAX_LIST_VALUES:
        raise FilterError(f"{path}: at most {MAX_LIST_VALUES} values.")
    return Clause(path, operator, values)


def _checked(tree: Group) -> Group:
    found = list(clauses(tree))
    if len(found) > MAX_CLAUSES:
        raise FilterError(f"At most {MAX_CLAUSES} filters.")
    if sum(len(clause.values) for clause in found) > 2 * MAX_LIST_VALUES:
        raise FilterError(f"At most {2 * MAX_LIST_VALUES} values in all filters together.")
    if sum(len(value) for clause in found for value in clause.values) > MAX_CHARACTERS:
        raise FilterError(f"At most {MAX_CHARACTERS:,} characters in all values of the filters together.")
    return tree
